/** The load of the Go server's `/bench`, made inside our leader's process: n commands, at most c in flight. */
import { randomBytes } from 'node:crypto';
import { CodedError } from '../../src/base/result.ts';
import type { RaftServer } from '../../src/node/raft/raft-server.ts';
import type { BenchFigures } from './admin.ts';

export interface OurLoad {
  readonly n: number;
  readonly c: number;
  readonly size: number;
  readonly warm: number;
}

/** @throws CodedError of the first command that is refused */
export async function runLoad(server: RaftServer<number>, load: OurLoad): Promise<BenchFigures> {
  const { c, n, size, warm } = load;
  if (warm > 0) await propose(server, { ...load, n: warm });
  const started = performance.now();
  const latencies = (await propose(server, load)).sort();
  const secs = (performance.now() - started) / 1000;
  const p = (fraction: number): number => latencies[Math.floor(fraction * (n - 1))] ?? Number.NaN;
  return { n, c, size, secs, ops_s: n / secs, p50_ms: p(0.5), p95_ms: p(0.95), p99_ms: p(0.99), max_ms: p(1) };
}

function propose(server: RaftServer<number>, { c, n, size }: OurLoad): Promise<Float64Array> {
  const latencies = new Float64Array(n);
  const pattern = randomBytes(size);
  let next = 0;
  let settled = 0;
  return new Promise((resolve, reject) => {
    const one = (): void => {
      if (next >= n) return;
      const i = next++;
      const data = new Uint8Array(pattern);
      new DataView(data.buffer).setBigUint64(0, BigInt(i));
      const sentMs = performance.now();
      server.proposeWith(data, (outcome) => {
        if (!outcome.ok) return reject(new CodedError(outcome.refusal));
        latencies[i] = performance.now() - sentMs;
        if (++settled === n) resolve(latencies);
        else one();
      });
    };
    for (let i = 0; i < c; i++) one();
  });
}
