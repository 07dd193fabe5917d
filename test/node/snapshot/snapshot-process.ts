/**
 * What a running node does about snapshots, in a process of its own: `node snapshot-process.ts <configuration>` makes one at
 * the head, removes the older ones, and drops the blocks that the policy does not want.
 */
import { loadConfig } from '../../../src/node/config.ts';
import { readGenesisFile } from '../../../src/node/genesis-file.ts';
import { openLedger } from '../../../src/node/open-ledger.ts';
import { SnapshotService } from '../../../src/node/snapshot/snapshot-service.ts';
import { silentLog } from '../silent-log.ts';

const [file = ''] = process.argv.slice(2);
const { config } = await loadConfig({ file, environment: {}, flags: {}, directory: process.cwd() });
const ledger = await openLedger(config.dataDirectory, await readGenesisFile(config.genesis), null);
const projected = () => ({ height: ledger.log.head().height, waitsFor: 'nothing' });
const service = new SnapshotService({ config, ledger, log: silentLog, nowMs: Date.now, projected });
await service.start();
await service.create();
await service.idle();
await ledger.store.close();
