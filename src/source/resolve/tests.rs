//! Folders, patterns and archives as they are found: everything that is listed comes out.
