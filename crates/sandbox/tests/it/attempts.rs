//! What is tried on a mount, in whichever lane it is.

/// What a program does to get a mounted file out of its way. It prints `through` for each that worked.
pub(crate) const ATTEMPTS: &str = r#"
    say() { echo "through: $1"; }
    now() { cat "$1" 2>/dev/null; }
    for above in $ABOVE; do
        mv $above $above.gone 2>/dev/null && say "mv $above" && mv $above.gone $above
        mkdir -p ${above}2 2>/dev/null && mv -T ${above}2 $above 2>/dev/null && say "mv over $above"
        rm -rf $above 2>/dev/null && say "rm $above"
        rmdir $above 2>/dev/null && say "rmdir $above"
        ln -sfn /tmp $above 2>/dev/null && [ -L $above ] && say "link $above"
    done
    echo evil 2>/dev/null > $PINNED && say write
    rm -f $PINNED 2>/dev/null && say rm
    mv $PINNED $PINNED.gone 2>/dev/null && say mv
    echo evil > other; mv -f other $PINNED 2>/dev/null && say "mv over"
    ln -f other $PINNED 2>/dev/null && say link
    chmod 777 $PINNED 2>/dev/null && say chmod
    unshare -rm mount --bind other $PINNED 2>/dev/null && say unshare
    mount --bind other $PINNED 2>/dev/null && say cover
    umount $PINNED 2>/dev/null && say umount
    [ "$(now $PINNED)" = pinned ] || say "now: $(now $PINNED)"
    exit 0
"#;
