"""What a user gives: a video and a caption."""
