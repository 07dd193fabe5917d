/** The thread that answers about old heights of a running node, whose store it reads; see `past-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { CodedError, unwrap } from '../../base/result.ts';
import { BlockLog } from '../../ledger/block-log.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import { makeValidatorSet } from '../../qc/validator-set.ts';
import { LevelStore } from '../../store/level-store.ts';
import { ledgerDirectory } from '../open-store.ts';
import { readGenesisFile } from '../genesis-file.ts';
import { stepAside } from '../thread-priority.ts';
import { onMessages, whenLoaded } from '../worker-end.ts';
import { stateBefore } from './first-state.ts';
import { PastStates } from './past-states.ts';
import type { FromPast, PastTask, ToPast } from './past-thread.ts';

/** As that of a rebuild: commits come first. */
const NICENESS = 5;

const port = parentPort;
assert(port !== null, 'old heights are answered for in a worker thread');
stepAside(NICENESS);

const { dataDirectory, genesisFile, identity } = workerData as PastTask;
const store = await LevelStore.join(ledgerDirectory(dataDirectory));
const log = BlockLog.over(store, identity);
const genesis = await readGenesisFile(genesisFile);
const { scheme } = await loadDefaultScheme();
const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
const states = new PastStates({
  store,
  log,
  first: (height) => stateBefore({ store, log, genesis, dataDirectory }, height),
  validatorsOf: () => validators,
});

onMessages(
  port,
  (question: ToPast) => void answer(question),
  () => store.close(),
);
whenLoaded(() => port.postMessage('loaded' satisfies FromPast));

/** What is thrown without a code is our own bug: it ends this thread, and whoever waits is told so. */
async function answer({ height, id, key }: ToPast): Promise<void> {
  const answered = await states.answer(height, key).catch((error: unknown) => {
    if (!(error instanceof CodedError)) throw error;
    const { code, details, message } = error;
    return { ok: false as const, refusal: { code, message, details } };
  });
  port?.postMessage({ id, answer: answered } satisfies FromPast);
}
