/** Of a node in a test that has no ledger. */
import type { LedgerAccess } from '../../src/node/ledger-views.ts';

const none = (): Promise<never> => Promise.reject(new TypeError('this node has no ledger'));

export const NO_VIEWS: LedgerAccess = { facts: none, blocks: none, open: none, rows: none, close: none };
