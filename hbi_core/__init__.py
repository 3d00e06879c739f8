"""HBI: from a video and a caption to three levels of a cooperative game."""
