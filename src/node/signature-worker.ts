/** The thread that event signatures are checked on. It loads neither the network nor a BLS scheme. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { unpackChecks } from './signature-batch.ts';
import { verifyHere } from './signature-native.ts';
import type { SignatureWorkerData } from './signature-thread.ts';
import { stepAside } from './thread-priority.ts';
import { onMessages } from './worker-end.ts';

const port = parentPort;
assert(port !== null, 'the signature worker runs in a worker thread');
stepAside((workerData as SignatureWorkerData).niceness);

/** Answers a batch, in order: one byte a check, 1 for a valid signature. */
onMessages(port, (packed: Uint8Array) => {
  const verdicts = Uint8Array.from(unpackChecks(packed), (check) =>
    Number(verifyHere(check, check.message, check.signature)),
  );
  port.postMessage(verdicts, [verdicts.buffer]);
});
