/** Of a node in a test that is not asked about its ledger. */
import { refuse } from '../../src/base/result.ts';
import type { LedgerOperations } from '../../src/node/projections/ledger-reads.ts';

const nothing = () => refuse('before-base', 'this cluster has no blocks yet');

export const NO_LEDGER: LedgerOperations = {
  history: () => Promise.resolve(nothing()),
  statistics: () => Promise.resolve(nothing()),
  at: () => Promise.resolve(nothing()),
  export: () => Promise.resolve(nothing()),
  rebuild: nothing,
};
