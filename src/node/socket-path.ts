/** The path by which a unix-domain socket is bound and reached: the system allows about a hundred bytes of it. */
import { relative } from 'node:path';
import { codedError } from '../base/result.ts';

/** `sun_path` without its terminating zero (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;

/** The shorter of the absolute and the relative path, as the system bounds it. @throws CodedError */
export function socketPath(socket: string): string {
  const nearer = relative(process.cwd(), socket);
  const path = nearer !== '' && nearer.length < socket.length ? nearer : socket;
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw codedError('control-path-too-long', `${socket} is too long for a socket; choose a shorter data directory`, {
      bytes: Buffer.byteLength(path),
      maxBytes: MAX_SOCKET_PATH_BYTES,
    });
  }
  return path;
}
