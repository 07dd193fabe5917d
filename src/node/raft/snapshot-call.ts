/**
 * A snapshot to another server, on a connection of its own that is closed after the answer: Go does so, because nobody
 * knows where on a connection it is after a transfer that failed.
 */
import { CodedError } from '../../base/result.ts';
import type { WireLimits } from '../../raft/wire/limits.ts';
import type { Dialler } from './dialler.ts';
import { OutboundConnection, type OutboundCall } from './outbound-connection.ts';
import type { CallResult } from './transport.ts';

/** For so many bytes a snapshot may take as long as any other call (hashicorp/raft, `DefaultTimeoutScale`). */
const BYTES_PER_DEADLINE = 256 << 10;

export function snapshotDeadlineMs(callDeadlineMs: number, sizeBytes: number): number {
  return callDeadlineMs * Math.max(1, Math.floor(sizeBytes / BYTES_PER_DEADLINE));
}

export interface SnapshotCall extends Omit<OutboundCall, 'settle'> {
  readonly sizeBytes: number;
  readonly source: AsyncIterable<Uint8Array>;
}

/** Never rejects but with our own bug. */
export async function callWithSnapshot(
  dialler: Dialler,
  call: SnapshotCall,
  wireLimits: WireLimits | undefined,
  signal: AbortSignal,
): Promise<CallResult> {
  const waiting = dialler.waiting;
  if (waiting !== undefined) return { ok: false, failure: 'unreachable', refusal: waiting };
  let connection: OutboundConnection;
  try {
    connection = new OutboundConnection(await dialler.dial(call.deadlineAtMs), wireLimits);
  } catch (error) {
    if (error instanceof CodedError) return { ok: false, failure: 'unreachable', refusal: error };
    throw error;
  }
  if (signal.aborted) connection.close();
  const stop = (): void => connection.close();
  signal.addEventListener('abort', stop);
  const answer = new Promise<CallResult>((settle) => connection.call({ ...call, settle }));
  // Not waited for: an answer, or its deadline, may come while the source has nothing.
  void sendAll(connection, call);
  const result = await answer;
  signal.removeEventListener('abort', stop);
  // An early answer is a refusal; more bytes would only be passed over.
  connection.close();
  if (result.ok) dialler.succeeded();
  else if (result.failure !== 'error') dialler.failed(result.refusal);
  return result;
}

/** Until all is sent or the connection is closed, for whatever reason. */
async function sendAll(connection: OutboundConnection, { source, sizeBytes }: SnapshotCall): Promise<void> {
  let sentBytes = 0;
  try {
    for await (const bytes of source) {
      sentBytes += bytes.length;
      if (sentBytes > sizeBytes || !(await connection.send(bytes))) break;
    }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return connection.destroy('error', error);
  }
  if (sentBytes === sizeBytes || !connection.isOpen) return;
  const message = 'the snapshot has another size than was announced';
  connection.destroy('error', { code: 'raft-snapshot-size', message, details: { sentBytes, sizeBytes } });
}
