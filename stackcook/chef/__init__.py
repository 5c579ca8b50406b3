"""The Chef server and the Chef repository: reading, signing, uploading, serving."""
