/** The thread that pairings run on. It loads a signature scheme and nothing of the network: libp2p costs 135 MB. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { unwrap } from '../base/result.ts';
import type { Hash } from '../base/hash.ts';
import { genesisCertificate } from '../qc/certificate.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { decodeValidatorSet } from '../qc/validator-set.ts';
import { rememberingScheme } from './remembering-scheme.ts';
import { runVerificationJob, type VerificationJob, type VerificationOutcome } from './verification-jobs.ts';
import { onMessages } from './worker-end.ts';

export interface WorkerSetup {
  readonly chainId: string;
  readonly validatorSet: Uint8Array;
  readonly validatorSetDigest: Hash;
  readonly genesisBlockId: Hash;
}

export interface WorkerRequest {
  readonly number: number;
  readonly job: VerificationJob;
}

export interface WorkerAnswer {
  readonly number: number;
  readonly outcome: VerificationOutcome;
}

/** Several minutes' worth of certificates, and as many statements: 1 MB. */
const MAX_REMEMBERED_SIGNATURES = 4096;

const port = parentPort;
assert(port !== null, 'the verification worker runs in a worker thread');
const setup = workerData as WorkerSetup;
const validators = unwrap(decodeValidatorSet(setup.validatorSet, setup.validatorSetDigest));
const { scheme: loaded } = await loadDefaultScheme();
const scheme = rememberingScheme(loaded, MAX_REMEMBERED_SIGNATURES);
const epoch = {
  chainId: setup.chainId,
  validators,
  genesis: genesisCertificate(validators.epoch, setup.genesisBlockId),
};

onMessages(port, (request: WorkerRequest) => {
  const answer: WorkerAnswer = {
    number: request.number,
    outcome: runVerificationJob(request.job, epoch, scheme),
  };
  port.postMessage(answer);
});
