#!/bin/sh
# Run a command that can let other users into this home, where Python and Slurm may be: in a mount
# namespace of its own, whose home has the same entries and a mode that lets all users enter.
set -e
aside=$(mktemp -d)
mount --bind "$HOME" "$aside"
mount -t tmpfs -o mode=755 tmpfs "$HOME"
for entry in "$aside"/* "$aside"/.[!.]*; do
    name=$HOME/${entry##*/}
    if [ -L "$entry" ]; then
        cp -P "$entry" "$name"
    elif [ -d "$entry" ]; then
        mkdir "$name"
        mount --bind "$entry" "$name"
    elif [ -e "$entry" ]; then
        : >"$name"
        mount --bind "$entry" "$name"
    fi
done
umount "$aside"
rmdir "$aside"
exec "$@"
