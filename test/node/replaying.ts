/** A replay of a data directory as tests ask for it: with its seals checked, and compared. */
import { join } from 'node:path';
import type { NodeConfig } from '../../src/node/config.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { replayLedger, type LedgerReplayOptions, type LedgerReplayReport } from '../../src/node/replay.ts';
import { openSource } from '../../src/node/replay/open-source.ts';
import { CATALOG } from '../../src/projections/catalog.ts';

export async function replayOf(
  { dataDirectory, genesis }: Pick<NodeConfig, 'dataDirectory' | 'genesis'>,
  more: Partial<LedgerReplayOptions> = {},
): Promise<LedgerReplayReport> {
  const source = await openSource(dataDirectory);
  try {
    return await replayLedger({
      source,
      genesis: await readGenesisFile(genesis),
      dataDirectory,
      into: join(dataDirectory, 'replay'),
      to: null,
      verifySignatures: false,
      verifySeals: true,
      threads: 1,
      projections: CATALOG,
      compare: true,
      swap: false,
      olderRows: 'keep',
      onProgress: () => undefined,
      onNote: () => undefined,
      ...more,
    });
  } finally {
    await source.close();
  }
}
