/** Streams that carry one text each way, ended by the end of write: what a plain libp2p client does with few lines. */
import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import { concatBytes } from '../base/bytes.ts';
import { CodedError, ok, refuse, type Result } from '../base/result.ts';

export interface WholeBounds {
  readonly maxBytes: number;
  /** From now to the last byte: a sender of one byte a second gains nothing by each. */
  readonly deadlineMs: number;
}

/**
 * Everything until the other side ends its direction.
 *
 * Refusals: `too-large`, `deadline-passed`, `stream-closed`. The stream stays open, for an answer.
 */
export async function readWhole(stream: Stream, { maxBytes, deadlineMs }: WholeBounds): Promise<Result<Uint8Array>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const { promise, resolve } = Promise.withResolvers<Result<Uint8Array>>();
  // The end may be told before the last bytes are, when all came before anybody listened.
  const settle = (): void => {
    const { readableEnded, readBufferLength, status } = stream;
    if ((readableEnded || status === 'closed') && readBufferLength === 0) resolve(ok(concatBytes(...chunks)));
  };
  const onMessage = ({ data }: StreamMessageEvent): void => {
    bytes += data.byteLength;
    if (bytes > maxBytes) resolve(refuse('too-large', 'more bytes than allowed', { bytes, maxBytes }));
    else chunks.push(data.subarray());
    settle();
  };
  const onEnd = (): void => {
    // A reset ends reading too, a moment before it is told as a reset.
    if (!isCutOff(stream)) settle();
  };
  const onClose = ({ error }: { readonly error?: Error }): void => {
    if (isCutOff(stream)) resolve(refuse('stream-closed', 'the stream was closed', { reason: error?.message ?? '' }));
    else settle();
  };
  const deadline = setTimeout(() => {
    resolve(refuse('deadline-passed', 'the text took too long to arrive', { bytes, deadlineMs }));
  }, deadlineMs);
  stream.addEventListener('message', onMessage);
  stream.addEventListener('end', onEnd);
  stream.addEventListener('close', onClose);
  onClose({});
  const read = await promise;
  clearTimeout(deadline);
  stream.removeEventListener('message', onMessage);
  stream.removeEventListener('end', onEnd);
  stream.removeEventListener('close', onClose);
  return read;
}

function isCutOff({ status }: Stream): boolean {
  return status === 'reset' || status === 'aborted';
}

/** Sends the bytes and ends this direction, or resets the stream. */
export async function writeWhole(stream: Stream, bytes: Uint8Array, deadlineMs: number): Promise<Result<void>> {
  try {
    stream.send(bytes);
    await stream.close({ signal: AbortSignal.timeout(deadlineMs) });
    return ok(undefined);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    stream.abort(error instanceof Error ? error : new Error(reason));
    return refuse('stream-closed', 'the stream was closed', { reason });
  }
}

/** Sends the last bytes of an exchange; a peer that does not end its own direction soon is cut off. */
export async function endWith(stream: Stream, bytes: Uint8Array, deadlineMs = 1_000): Promise<void> {
  const written = await writeWhole(stream, bytes, deadlineMs);
  if (!written.ok || stream.status === 'closed') return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const deadline = setTimeout(resolve, deadlineMs);
  stream.addEventListener('close', () => resolve(), { once: true });
  // Unread bytes would hold back the news that the other side has ended.
  stream.addEventListener('message', ignore);
  await promise;
  clearTimeout(deadline);
  stream.abort(new CodedError({ code: 'deadline-passed', message: 'the peer did not end the exchange', details: {} }));
}

function ignore(): void {
  // What comes after the answer is of no interest.
}

/**
 * The first byte of a stream, which stays unread: what follows reads it again.
 *
 * @returns undefined when the stream ended or the deadline passed before it
 */
export async function peekFirstByte(stream: Stream, deadlineMs: number): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const deadline = setTimeout(() => resolve(undefined), deadlineMs);
  const onOver = (): void => resolve(undefined);
  const onMessage = ({ data }: StreamMessageEvent): void => {
    // Put back within this event: once it returns, a stream whose other side has ended takes nothing back.
    stream.removeEventListener('message', onMessage);
    stream.unshift(data);
    resolve(data.subarray(0, 1)[0]);
  };
  stream.addEventListener('end', onOver);
  stream.addEventListener('close', onOver);
  stream.addEventListener('message', onMessage);
  if ((stream.readableEnded || stream.status !== 'open') && stream.readBufferLength === 0) onOver();
  const first = await promise;
  clearTimeout(deadline);
  stream.removeEventListener('message', onMessage);
  stream.removeEventListener('end', onOver);
  stream.removeEventListener('close', onOver);
  return first;
}
