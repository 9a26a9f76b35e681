"""Everything between files on disk and batches of frames."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "Clip": "hvp.data.data_set",
        "DataSet": "hvp.data.data_set",
        "Preparation": "hvp.data.data_set",
        "VideoSplit": "hvp.data.video_split",
        "make_dataset": "hvp.data.video_split",
        "open_source": "hvp.data.sources",
        "read_video": "hvp.data.video_io",
        "register_dataset": "hvp.data.sources",
        "with_lengths": "hvp.data.lengths",
        "write_gif": "hvp.data.gif_files",
        "write_mp4": "hvp.data.video_io",
    },
    submodules=(
        "archives",
        "array_files",
        "data_set",
        "downloads",
        "find_clips",
        "frame_cache",
        "frame_source",
        "generated_videos",
        "gif_files",
        "lengths",
        "masks",
        "prepare",
        "prepare_state",
        "prepared_folder",
        "raw_frames",
        "records",
        "sources",
        "stored_videos",
        "video_io",
        "video_quirks",
        "video_split",
    ),
)
