"""The groups of commands of `vestnik`: a file each, which loads what it needs only when it is called."""
