"""What write-ups and papers print, each number beside the one that is recomputed here."""
