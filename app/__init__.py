"""The page: a video and a caption in, three coalition graphs out."""
