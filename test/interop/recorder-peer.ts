/** The recorder in a server's process, with what it recorded in its earlier lives. */
import { toHex } from '../../src/base/bytes.ts';
import type { SnapshotStore } from '../../src/node/raft/snapshot-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { PeerMachine } from './peer-machine.ts';
import { RecorderMachine } from './recorder-machine.ts';
import { rememberStored } from './recorder-memory.ts';

/** @param keep commands kept verbatim */
export async function recorderPeer(store: Store, snapshots: SnapshotStore, keep: number): Promise<PeerMachine<number>> {
  const machine = new RecorderMachine(store, keep);
  if (keep > 0) await rememberStored(machine, store, snapshots);
  return {
    machine,
    report: async (tail) => {
      const { count, hash, kept, last, restores } = machine;
      const shown = machine.tail(tail).map(({ data, index, term }) => ({ index, term, data: toHex(data) }));
      return { count, last, hash, restores, kept, ...(tail > 0 ? { tail: shown } : {}) };
    },
    get: () => undefined,
    dump: async () => undefined,
    resultOf: (count) => count,
  };
}
