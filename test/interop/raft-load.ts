/** A load made inside of the leader's process, as the Go peer's `/bench` makes it: so many commands, so many in flight. */
import type { RaftServer } from '../../src/node/raft/raft-server.ts';
import { Random } from '../../src/base/random.ts';

export interface Load {
  /** One a command. */
  readonly latenciesMs: Float64Array;
  readonly secs: number;
}

/** @throws Error when a command is refused */
export function load<O>(server: Pick<RaftServer<O>, 'proposeWith'>, n: number, c: number, size: number): Promise<Load> {
  const latenciesMs = new Float64Array(n);
  const { promise, reject, resolve } = Promise.withResolvers<Load>();
  const start = performance.now();
  let next = 0;
  let done = 0;
  const proposeNext = (template: Uint8Array): void => {
    if (next >= n) return;
    const i = next++;
    const data = template.slice();
    new DataView(data.buffer).setUint32(4, i);
    const at = performance.now();
    server.proposeWith(data, (outcome) => {
      if (!outcome.ok) return reject(new Error(`${outcome.refusal.code}: ${outcome.refusal.message}`));
      latenciesMs[i] = performance.now() - at;
      if (++done === n) return resolve({ latenciesMs, secs: (performance.now() - start) / 1000 });
      proposeNext(template);
    });
  };
  for (let worker = 0; worker < Math.min(c, n); worker++) proposeNext(templateOf(worker, size));
  return promise;
}

function templateOf(seed: number, size: number): Uint8Array {
  const random = new Random(seed);
  const bytes = Uint8Array.from({ length: size }, () => random.below(256));
  bytes.fill(0, 0, 8);
  return bytes;
}
