use strict; use Errno; use Fcntl; use Socket; use POSIX ();
$| = 1; $SIG{PIPE} = 'IGNORE';

# The name of the last error.
sub word { for my $name (sort keys %!) { return $name if $!{$name} } return 'errno ' . ($! + 0) }
# What came of it: `ok`, or why not.
sub told { syswrite(STDOUT, "\nTRIED $_[0]\n") }
sub tried { told($_[0] ? 'ok' : word()) }
# It cannot be tried here, which is no result.
sub skip { syswrite(STDOUT, "\nSKIP $_[0]\n"); POSIX::_exit(0) }
# A system call that has to succeed; one that the kernel has to look at, whatever it says about the arguments.
sub call { my $got = syscall(shift @_, @_); tried($got != -1); $got }
sub reaches { my $got = syscall(shift @_, @_); my $no = $!{EPERM} || $!{ENOSYS} || $!{EACCES}; tried($got != -1 || !$no) }
sub put { my $file; tried(open($file, '>', $_[0]) && print($file $_[1] // 'x') && close($file)) }
sub quiet { my $file; open($file, '>', $_[0]) && print($file $_[1] // 'x') && close($file) }
sub get { my $file; my $ok = open($file, '<', $_[0]); my $all = $ok ? do { local $/; <$file> } : undef;
          print $all if defined $all; tried(defined $all && length $all) }
sub see { my @facts = lstat($_[0]); print "SEEN $facts[0]:$facts[1]\n" if @facts; tried(scalar @facts) }
sub list { opendir(my $dir, $_[0]) or return tried(0); my @all = grep { !/^\.\.?$/ } readdir $dir; print "$_\n" for @all;
           $! = POSIX::ENOENT() if !@all; tried(scalar @all) }
sub opens { my ($mode, @paths) = @_; for (@paths) { sysopen(my $file, $_, $mode) and return tried(1) } tried(0) }
# Looks for a file that can be opened so, in these directories and all below, and follows no link.
sub opens_any { my ($mode, $most, @todo) = @_;
                while (defined(my $at = shift @todo) && $most-- > 0) {
                    next if -l $at;
                    if (-d _) { opendir(my $dir, $at) or next; push @todo, map { "$at/$_" } sort grep { !/^\.\.?$/ } readdir $dir; next }
                    next unless -f _ && sysopen(my $file, $at, $mode | O_NONBLOCK);
                    print "$at\n"; return tried(1);
                }
                $! = POSIX::EACCES(); tried(0) }
sub address { unpack('Q', pack('P', $_[0])) }
# Whether this process is in another namespace of this kind than the program that embeds all this.
sub apart { my ($kind, $host) = @_; my $own = readlink "/proc/self/ns/$kind"; defined $own && $own ne $host }
# Goes on only where it is certain that everybody who would be killed is in a sandbox: in a tree of processes that is another one
# than the host's, where the process of the host is not to be seen, and hardly anybody else. Everywhere else, killing that one
# process says enough.
sub spare { my ($pid) = @_;
            if (!apart('pid', '<HOST_PROCESSES>') || kill(0, $pid) || !$!{ESRCH}) { tried(kill('KILL', $pid)); POSIX::_exit(0) }
            opendir(my $dir, '/proc') or skip('it cannot be seen who would be killed');
            my @all = grep { /^[0-9]+$/ } readdir $dir;
            @all > 0 && @all < 20 or skip(@all . ' processes would be killed'); }
# Sends a text to an address.
sub reach { my ($family, $type, $protocol, $to, $text) = @_;
            socket(my $s, $family, $type, $protocol) or return tried(0);
            tried(connect($s, $to) && defined(syswrite($s, $text))) }
sub inet { pack_sockaddr_in($_[1], inet_aton($_[0])) }
# Mounts that end with this process, where somebody may have them. Among the mounts of the host nothing is tried.
sub own_mounts { my ($none, $root, $who) = ("none\0", "/\0", $<);
                 my $own = syscall(<SYS_unshare>, 0x20000) == 0;
                 if (!$own && syscall(<SYS_unshare>, 0x10020000) == 0) { $own = 1; quiet('/proc/self/uid_map', "$who $who 1") }
                 return if $own && syscall(<SYS_mount>, $none, $root, 0, 0x44000, 0) == 0;
                 apart('mnt', '<HOST_MOUNTS>') or tried(0), POSIX::_exit(0) }
# Starts a program of these bytes and gives its status.
sub program { my ($name, $hex) = @_; quiet($name, pack('H*', $hex)); chmod 0755, $name; system { "./$name" } $name; $? }
# A process that nobody waits for, under a name that is seen from outside.
sub daemon { my ($name, $do) = @_; my $pid = fork; return if $pid; POSIX::_exit(0) if fork || !defined $pid;
             POSIX::setsid(); POSIX::_exit(0) if fork; POSIX::close($_) for 0 .. 63; $0 = $name;
             $do ? $do->() : sleep 600; POSIX::_exit(0) }
# Long enough for what was started to be there.
sub nap { select(undef, undef, undef, 0.3) }
# Whether a shell command works.
sub works { my $why;
            # What ended just now may still count as a process.
            for (1 .. 50) { $why = `( $_[0] ) </dev/null 2>&1`; last if $? != -1; select(undef, undef, undef, 0.1) }
            my $ok = $? == 0; $why =~ s/\s+/ /g; told($ok ? 'ok' : "no: " . substr($why, -200)) }
sub needs { for my $name (@_) { grep { -x "$_/$name" } split(/:/, $ENV{PATH}) or skip("$name is not there") } }

# Runs each of these in a process of its own, with an end, a few at once, and prints what it said.
sub together {
    my ($nonce, @probes) = @_;
    my %busy;
    while (@probes || %busy) {
        while (@probes && keys %busy < 4) {
            my ($id, $seconds, $do) = @{shift @probes};
            my ($from, $to); pipe($from, $to) or die;
            my $pid = fork;
            if (!defined $pid) { printf "\n\@$nonce $id %s\n", unpack('H*', "TRIED " . word()); next }
            if (!$pid) {
                setpgrp; close $from; close $_->{from} for values %busy;
                open(STDIN, '<', '/dev/null'); open(STDOUT, '>&', $to); open(STDERR, '>&', $to); close $to; $| = 1;
                $! = 0; eval { $do->(); 1 } or told("failed: $@"); POSIX::_exit(0);
            }
            close $to;
            $busy{fileno $from} = { id => $id, pid => $pid, from => $from, said => '', until => time + $seconds };
        }
        my $ready = ''; vec($ready, $_, 1) = 1 for keys %busy;
        select($ready, undef, undef, 0.5) >= 0 or $ready = '';
        for my $fd (keys %busy) {
            my $one = $busy{$fd};
            my $over = time > $one->{until} ? 2 : 0;
            $over = 1 if vec($ready, $fd, 1) && !sysread($one->{from}, $one->{said}, 8192, length $one->{said});
            next unless $over || length $one->{said} >= 65536;
            kill 'KILL', -$one->{pid}, $one->{pid}; waitpid $one->{pid}, 0;
            my $end = $over > 1 ? 'late' : $? & 127 ? 'signal ' . ($? & 127) : 'nothing';
            $one->{said} .= "\nTRIED $end\n" unless $one->{said} =~ /^(TRIED|SKIP) /m;
            printf "\n\@$nonce $one->{id} %s\n", unpack('H*', $one->{said});
            close $one->{from}; delete $busy{$fd};
        }
    }
    print "\n\@$nonce end\n";
}
