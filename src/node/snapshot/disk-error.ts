/** What the disk says while a snapshot is written, by a code. */
import { codedError } from '../../base/result.ts';

/** @returns a CodedError `snapshot-no-space` or `snapshot-write-failed`; what is no error of the disk as it is */
export function diskError(error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return isFull
    ? codedError('snapshot-no-space', 'the disk has no room for the snapshot', { reason: message }, { cause: error })
    : codedError('snapshot-write-failed', 'the snapshot cannot be written', { reason: message }, { cause: error });
}
