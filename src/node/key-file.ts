/** A secret as hex in a file of mode 0600: never overwritten, and refused when others can read it. */
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromHex, toHex } from '../base/bytes.ts';
import { codedError } from '../base/result.ts';
import { readTextFile } from './text-file.ts';

/** Bits of a file mode that let the group or others in. */
const OPEN_TO_OTHERS = 0o077;

/** @throws CodedError `key-exists` */
export async function writeKeyFile(path: string, secret: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${toHex(secret)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw codedError(
      'key-exists',
      `${path} holds a key already, and keys are never overwritten; move it away, or choose another directory`,
      { path },
      { cause: error },
    );
  }
}

/** @throws CodedError `key-missing`, `file-unusable`, `key-file-permissions`, `key-malformed` */
export async function readKeyFile(path: string): Promise<Uint8Array> {
  const content = await readTextFile(path, {
    code: 'key-missing',
    message: `there is no key file ${path}; "hotledger init" makes one`,
    details: { path },
  });
  const { mode } = await stat(path);
  if ((mode & OPEN_TO_OTHERS) !== 0) {
    throw codedError('key-file-permissions', `others can read ${path}; run: chmod 600 ${path}`, {
      path,
      mode: (mode & 0o777).toString(8),
    });
  }
  const secret = fromHex(content.trim().toLowerCase());
  if (secret === undefined || secret.length === 0) {
    throw codedError('key-malformed', `${path} is not a key in hex digits`, { path });
  }
  return secret;
}
