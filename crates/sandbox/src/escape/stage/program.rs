//! Programs of a few bytes, for what a script cannot do by itself.

/// The smallest program file around this code for x86-64.
fn file(code: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let size = HEADERS + code.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, values: &[u16]| values.iter().for_each(|v| file.extend(v.to_le_bytes()));
    let word = |file: &mut Vec<u8>, values: &[u32]| values.iter().for_each(|v| file.extend(v.to_le_bytes()));
    let long = |file: &mut Vec<u8>, values: &[u64]| values.iter().for_each(|v| file.extend(v.to_le_bytes()));
    half(&mut file, &[2, 62]);
    word(&mut file, &[1]);
    long(&mut file, &[BASE + HEADERS, 64, 0]);
    word(&mut file, &[0]);
    half(&mut file, &[64, 56, 1, 0, 0, 0]);
    // One segment, readable and executable.
    word(&mut file, &[1, 5]);
    long(&mut file, &[0, BASE, BASE, size, size, 0x1000]);
    file.extend(code);
    file
}

/// Ends with 0.
pub(super) fn success() -> Vec<u8> {
    // xor edi, edi; mov eax, 60 (exit); syscall
    file(&[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05])
}

/// Asks for the process id by the 32-bit numbers, and ends with 0 when there is one.
pub(super) fn foreign() -> Vec<u8> {
    // mov eax, 20 (getpid); int 0x80; xor edi, edi; test eax, eax; setle dil; mov eax, 60; syscall
    file(&[
        0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x31, 0xff, 0x85, 0xc0, 0x40, 0x0f, 0x9e, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05,
    ])
}

/// Ends with 1 when it runs as another user than who started it.
pub(super) fn promoted() -> Vec<u8> {
    // mov eax, 107 (geteuid); syscall; mov ebx, eax; mov eax, 102 (getuid); syscall; xor edi, edi; cmp eax, ebx; setne dil; exit
    file(&[
        0xb8, 107, 0, 0, 0, 0x0f, 0x05, 0x89, 0xc3, 0xb8, 102, 0, 0, 0, 0x0f, 0x05, 0x31, 0xff, 0x39, 0xd8, 0x40, 0x0f,
        0x95, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05,
    ])
}

/// The bytes as a script writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
