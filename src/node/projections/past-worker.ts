/** The thread that answers about old heights of a running node, whose store it reads; see `past-thread.ts`. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { CodedError, refuse, unwrap, type Refusal } from '../../base/result.ts';
import { BlockLog } from '../../ledger/block-log.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import { makeValidatorSet } from '../../qc/validator-set.ts';
import { LevelStore } from '../../store/level-store.ts';
import { readGenesisFile } from '../genesis-file.ts';
import { firstStateOf } from './first-state.ts';
import { PastStates } from './past-states.ts';
import type { FromPast, PastTask, ToPast } from './past-thread.ts';

/** As that of a rebuild: commits come first. */
const NICENESS = 5;

const port = parentPort;
assert(port !== null, 'old heights are answered for in a worker thread');
if (process.platform === 'linux') setPriority(0, NICENESS);

const { directory, genesisFile, identity } = workerData as PastTask;
const store = await LevelStore.join(directory);
const log = BlockLog.over(store, identity);
const genesis = await readGenesisFile(genesisFile);
const { scheme } = await loadDefaultScheme();
const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
const states = new PastStates({
  store,
  log,
  first: () => firstStateOf(store, log, genesis),
  validatorsOf: () => validators,
});

port.on('message', (message: ToPast) => {
  if (message.kind === 'close') {
    port.close();
    void store.close();
    return;
  }
  const { height, id, key } = message;
  states
    .answer(height, key)
    .catch((error: unknown) => ({ ok: false as const, refusal: refusalOf(error) }))
    .then((answer) => {
      port.postMessage({ id, answer } satisfies FromPast);
    });
});

function refusalOf(error: unknown): Refusal {
  if (error instanceof CodedError) return { code: error.code, message: error.message, details: error.details };
  return refuse('read-failed', error instanceof Error ? (error.stack ?? error.message) : String(error)).refusal;
}
