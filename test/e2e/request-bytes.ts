/** What a client of this program asks, as bytes: the content of the one frame that it sends. */
import type { Host } from '../../src/net/host.ts';
import { readWhole } from '../../src/net/whole-stream.ts';

const BOUNDS = { maxBytes: 64 << 10, deadlineMs: 5_000 };

/** @param ask makes the client ask `host`, which gives no answer */
export async function requestBytes(host: Host, protocol: string, ask: () => Promise<unknown>): Promise<Uint8Array> {
  const heard = Promise.withResolvers<Uint8Array>();
  await host.handle(protocol, (stream) => {
    readWhole(stream, BOUNDS).then((read) => {
      stream.abort(new Error('heard'));
      if (read.ok) heard.resolve(read.value.subarray(4));
      else heard.reject(new Error(read.refusal.code));
    }, heard.reject);
  });
  const asked = ask().catch(() => undefined);
  const bytes = await heard.promise;
  await asked;
  return bytes;
}
