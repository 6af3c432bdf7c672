//! The hive's doors: the unix socket always, TCP addresses where it was told.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket};

use crate::state_folder::OwnedStateFolder;

/// Connections that the system may hold for us before we accept them; its `somaxconn` may say less.
const BACKLOG: u32 = 4096;
/// A unix socket's path fits here, its last zero included (unix(7), `sun_path`).
const LONGEST_SOCKET_PATH_BYTES: usize = 108;

/// What the hive listens on.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// Dropped before the state folder is given back: the next hive's socket must not be taken for ours.
    pub(crate) socket: SocketFile,
    pub(crate) unix: UnixListener,
    pub(crate) tcp: Vec<TcpListener>,
}

/// The socket's name in the state folder, gone with this value.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, socket.path = %self.0.display(), "the socket stays behind");
        }
    }
}

/// Why the hive cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The state folder's path leaves no room for the socket's.
    #[error("the socket's path {} is longer than a unix socket's may be: set `HIVE_STATE_DIR` to a shorter one", path.display())]
    SocketPathTooLong {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something that is no socket has its name.
    #[error("{} is not a socket: move it away", path.display())]
    SocketInTheWay {
        /// The socket's path.
        path: PathBuf,
    },
    /// The system refused the unix socket.
    #[error("cannot listen on {}", path.display())]
    Socket {
        /// The socket's path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refused a TCP address.
    #[error("cannot listen on {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl Listeners {
    /// Opens every door; the state folder is ours, so a socket that is there is a dead hive's.
    pub(crate) fn bind(
        state: &OwnedStateFolder,
        addresses: &[SocketAddr],
    ) -> Result<Self, ListenError> {
        let tcp = addresses
            .iter()
            .map(|&address| {
                bind_tcp(address).map_err(|source| ListenError::Address { address, source })
            })
            .collect::<Result<_, _>>()?;
        let path = state.names().socket();
        let unix = bind_unix(&path)?;
        let socket = SocketFile(path);
        Ok(Self { socket, unix, tcp })
    }

    /// The TCP addresses, with the ports that the system chose.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Nobody can connect before `listen`, so the permissions are narrowed between `bind` and `listen`.
fn bind_unix(path: &Path) -> Result<UnixListener, ListenError> {
    let taken = || path.to_owned();
    if path.as_os_str().len() >= LONGEST_SOCKET_PATH_BYTES {
        return Err(ListenError::SocketPathTooLong { path: taken() });
    }
    let open = || {
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        socket.listen(BACKLOG)
    };
    let found = path
        .symlink_metadata()
        .map(|found| found.file_type().is_socket());
    let ready = match found {
        Ok(false) => return Err(ListenError::SocketInTheWay { path: taken() }),
        Ok(true) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    ready
        .and_then(|()| open())
        .map_err(|source| ListenError::Socket {
            path: taken(),
            source,
        })
}
