/** Verified reads: one reader without any data, which checks each answer against the genesis alone. */
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { AddressBook } from '../../src/node/address-book.ts';
import { openLightReader } from '../../src/node/light-reader.ts';
import { summarize, type Summary } from '../measure.ts';
import type { ValidatorNetwork } from './network.ts';

export interface ReadsResult {
  readonly perSecond: number;
  readonly latency: Summary;
}

/** At once, from each validator. */
const PARALLEL_READS = 4;
const TIMEOUT_MS = 10_000;

/** Records of these nodes in turn. @throws Error when a read fails */
export async function measureReads(
  network: ValidatorNetwork,
  peerIds: readonly string[],
  reads: number,
): Promise<ReadsResult> {
  const genesis = await readGenesisFile(network.testnet.genesisFile);
  const addresses = new AddressBook(new Map(), [], []);
  const readers = await Promise.all(
    network.targets().map((target) => openLightReader({ genesis, addresses, named: [target] })),
  );
  const latenciesMs: number[] = [];
  let next = 0;
  const readInTurn = async (worker: number): Promise<void> => {
    const reader = readers[worker % readers.length]!;
    while (next < reads) {
      const peerId = peerIds[next++ % peerIds.length]!;
      const startedMs = performance.now();
      const read = await reader.read(peerId, { maxAgeMs: undefined, timeoutMs: TIMEOUT_MS });
      if (!read.ok) throw new Error(`a read failed: ${JSON.stringify(read.refusal)}`);
      if (read.value.node === null) throw new Error(`the record of ${peerId} is not there`);
      latenciesMs.push(performance.now() - startedMs);
    }
  };
  try {
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: PARALLEL_READS * readers.length }, (_, worker) => readInTurn(worker)));
    return { perSecond: reads / ((performance.now() - startedMs) / 1000), latency: summarize(latenciesMs) };
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
  }
}
