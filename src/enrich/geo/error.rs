//! Why a file of places or a layer cannot be used.

use thiserror::Error;

/// Trouble with a geographic file; the caller knows its name.
#[derive(Debug, Error)]
pub enum GeoError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Its text is not what it should be.
    #[error("{0}")]
    Form(String),
    /// Coordinates that are no degrees.
    #[error("{x}, {y} are no degrees of longitude and latitude")]
    NotDegrees {
        /// First coordinate.
        x: f64,
        /// Second coordinate.
        y: f64,
    },
    /// It takes more memory than there is for it.
    #[error("it does not fit into the memory that is left for it ({allowed} MiB)")]
    Full {
        /// MiB.
        allowed: u64,
    },
}

impl GeoError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io(_) => "check the path",
            Self::Form(_) => {
                "GeoJSON (a FeatureCollection), or for places CSV with the columns parcel_id, latitude \
                 and longitude"
            }
            Self::NotDegrees { .. } => {
                "coordinates must be WGS84 degrees; state-plane feet are changed by: ogr2ogr -t_srs \
                 EPSG:4326 out.geojson in.shp"
            }
            Self::Full { .. } => {
                "raise --memory-limit, or cut the file to the county (ogr2ogr -spat or -where)"
            }
        }
    }
}

/// Memory that may still be taken, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    allowed: u64,
    taken: u64,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(allowed: u64) -> Self {
        Self { allowed, taken: 0 }
    }

    /// Takes some.
    pub fn take(&mut self, bytes: usize) -> Result<(), GeoError> {
        self.taken += bytes as u64;
        if self.taken > self.allowed {
            return Err(GeoError::Full { allowed: self.allowed >> 20 });
        }
        Ok(())
    }

    /// Bytes taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}
