"""What a Rook application is, gets and uses: the manual, but for servers."""
