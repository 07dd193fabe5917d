/**
 * The thread in which projections are rebuilt. It has a lower priority than the node's own threads, and takes no more than
 * a third of a core: commits come first.
 */
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { CodedError, unwrap, type Refusal } from '../../base/result.ts';
import { BlockLog } from '../../ledger/block-log.ts';
import { buildRows, type BuildControl } from '../../projections/build.ts';
import { CATALOG } from '../../projections/catalog.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import { makeValidatorSet } from '../../qc/validator-set.ts';
import { LevelStore } from '../../store/level-store.ts';
import type { StoreOperation } from '../../store/store.ts';
import { ledgerDirectory } from '../open-store.ts';
import { readGenesisFile } from '../genesis-file.ts';
import { stepAside } from '../thread-priority.ts';
import { whenLoaded } from '../worker-end.ts';
import { firstStateOf } from './first-state.ts';
import { packOperations } from './packed-operations.ts';
import type { FromRebuild, RebuildTask, ToRebuild } from './rebuild-messages.ts';

/** Of one core. */
const SHARE_OF_TIME = 0.35;
/** Looks for new blocks at the head this often. */
const AT_HEAD_MS = 20;
/** A third of the node's own weight where both want a core: with the least (19) it would stand still on a busy machine. */
const NICENESS = 5;
/** A batch is some ten milliseconds of work. */
const MAX_REST_MS = 250;
const PROGRESS_INTERVAL_MS = 100;

const port = parentPort;
assert(port !== null, 'the rebuild runs in a worker thread');

let finishAt: number | null = null;
let isStopped = false;
const writes: (() => void)[] = [];

port.on('message', (message: ToRebuild) => {
  switch (message.kind) {
    case 'written':
      writes.shift()?.();
      break;
    case 'finishAt':
      finishAt = message.height;
      break;
    case 'stop':
      isStopped = true;
      break;
  }
});

function say(message: FromRebuild): void {
  port?.postMessage(message);
}

function write(operations: readonly StoreOperation[]): Promise<void> {
  const packed = packOperations(operations);
  port?.postMessage({ kind: 'write', packed } satisfies FromRebuild, [packed.buffer]);
  return new Promise((resolve) => {
    writes.push(resolve);
  });
}

function control(): BuildControl {
  let usedMs = processorMs();
  let toldMs = -Infinity;
  return {
    pause: async (atHead) => {
      const workedMs = processorMs() - usedMs;
      const rest = Math.ceil((workedMs * (1 - SHARE_OF_TIME)) / SHARE_OF_TIME);
      await delay(atHead ? AT_HEAD_MS : Math.min(rest, MAX_REST_MS));
      await setImmediate();
      usedMs = processorMs();
    },
    onProgress: (progress) => {
      const nowMs = performance.now();
      if (nowMs - toldMs < PROGRESS_INTERVAL_MS && progress.height < progress.headHeight) return;
      toldMs = nowMs;
      say({ kind: 'progress', progress });
    },
    finishAt: () => finishAt,
    isStopped: () => isStopped,
  };
}

/**
 * Of this thread, where Node can tell (from 23.9 on). What it waited for a core is no reason to rest: on a busy machine it
 * would hardly move.
 */
function processorMs(): number {
  const used = process.threadCpuUsage?.();
  return used === undefined ? performance.now() : (used.user + used.system) / 1000;
}

async function rebuild({ dataDirectory, genesisFile, identity, plan }: RebuildTask): Promise<number | null> {
  const store = await LevelStore.join(ledgerDirectory(dataDirectory));
  try {
    const log = BlockLog.over(store, identity);
    const genesis = await readGenesisFile(genesisFile);
    const { scheme } = await loadDefaultScheme();
    const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
    const first = await firstStateOf({ store, log, genesis, dataDirectory });
    return await buildRows({
      store,
      write,
      log,
      first,
      validatorsOf: () => validators,
      plan,
      catalog: CATALOG,
      control: control(),
    });
  } finally {
    await store.close();
  }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof CodedError) return { code: error.code, message: error.message, details: error.details };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'rebuild-failed', message, details: {} };
}

async function tell(task: RebuildTask): Promise<void> {
  try {
    say({ kind: 'ended', height: await rebuild(task) });
  } catch (error) {
    say({ kind: 'failed', refusal: refusalOf(error) });
  }
  port?.close();
}

stepAside(NICENESS);
whenLoaded(() => {
  say({ kind: 'loaded' });
  void tell(workerData as RebuildTask);
});
