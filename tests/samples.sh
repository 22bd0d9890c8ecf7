#!/bin/sh
# Every sample gives what its expect.json says.
srcdir=${srcdir:-.}
exec ./pcapdiag --corpus "$srcdir/samples" -R "$srcdir/rules"
