import { eventually } from '../eventually.ts';
import type { TestNetwork } from './harness.ts';

/** Whoever leads among these, and whom a majority has heard; the ledger has begun. */
export function raftLeaderOf(network: TestNetwork, names: readonly string[]): Promise<string> {
  return eventually(`one of ${names.join(', ')} leads`, async () => {
    for (const name of names) {
      const { commitIndex, lastIndex, role } = await network.process(name).control.raftReport();
      if (role === 'leader' && commitIndex > 2 && commitIndex === lastIndex) return name;
    }
    return undefined;
  });
}
