/** An event of the validator on this machine: its status, its key, and the way to the ledger. */
import { join } from 'node:path';
import { CodedError, codedError } from '../../base/result.ts';
import { chainIdOf } from '../../ledger/genesis.ts';
import type { WrittenEvent } from '../../ledger/event.ts';
import { AddressBook } from '../../node/address-book.ts';
import { ControlClient } from '../../node/control-client.ts';
import type { NodeConfig } from '../../node/config.ts';
import { readGenesisFile } from '../../node/genesis-file.ts';
import { generateIdentityKey, loadIdentityKey } from '../../node/keys.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../../node/sign-event.ts';
import type { NodeStatus } from '../../node/status.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { configFileOf, configOf } from '../options.ts';
import type { Terminal } from '../terminal.ts';

export interface BallotChoice {
  readonly config?: string;
  readonly timeout: number;
  readonly json?: true;
}

export interface Validator {
  readonly config: NodeConfig;
  readonly status: NodeStatus;
}

/** @throws CodedError `usage`, `node-not-running`, `not-a-validator` */
export async function validatorOf(choice: BallotChoice, terminal: Terminal): Promise<Validator> {
  const file = configFileOf(choice, terminal);
  if (file === undefined) throw codedError('usage', 'name the validator with --config FILE, or set HOTLEDGER_CONFIG');
  const config = await configOf(file, {}, terminal);
  const status = await new ControlClient(join(config.dataDirectory, 'control.sock')).status();
  if (status.index === null) {
    throw codedError('not-a-validator', 'the node on this machine is no validator', { peerId: status.peerId });
  }
  return { config, status };
}

/** Signed by the validator, and committed. @throws CommandFailure with what the network refused it for */
export async function cast(
  { config, status }: Validator,
  body: EventBody,
  timeoutMs: number,
): Promise<OwnSignedEvent & { readonly by: string }> {
  const key = await loadIdentityKey(config);
  const genesis = await readGenesisFile(config.genesis);
  const nowMs = Date.now();
  const event = { ...body, peerId: key.peerId, seq: nowMs, time: Math.floor(nowMs / 1000) } as WrittenEvent;
  const signed = signEvent(key, chainIdOf(genesis), event);
  const known = new Map(genesis.validators.map(({ peerId, multiaddrs }) => [peerId, multiaddrs]));
  const addresses = new AddressBook(known, config.bootstrap, [...config.addressFiles, config.addressFile]);
  const peerIds = [status.peerId, ...known.keys()];
  const targets = [...new Set(peerIds)].map((peerId) => ({ peerId, multiaddrs: addresses.of(peerId) }));
  const by = await submit(
    signed,
    chainIdOf(genesis),
    targets.filter(({ multiaddrs }) => multiaddrs.length > 0),
    timeoutMs,
  );
  return { ...signed, by };
}

type Target = { readonly peerId: string; readonly multiaddrs: readonly string[] };

/** In a batch, whose events speak for themselves: over a connection of its own, beside that of the running validator. */
async function submit(
  { bytes }: OwnSignedEvent,
  chainId: string,
  targets: readonly Target[],
  timeoutMs: number,
): Promise<string> {
  const { createHost } = await import('../../net/host.ts');
  const { SubmissionClient } = await import('../../net/submission-client.ts');
  const host = await createHost({ identity: generateIdentityKey('ed25519').protobuf, listen: [], chainId });
  let failure: unknown = codedError('peer-unreachable', 'no address of a validator is known');
  try {
    const giveUpAtMs = Date.now() + timeoutMs;
    for (const target of targets) {
      const deadlineMs = giveUpAtMs - Date.now();
      if (deadlineMs <= 0) break;
      try {
        const client = await SubmissionClient.open(host, target, { deadlineMs });
        const [answer] = await client.submit([bytes]);
        await client.close();
        if (answer?.kind === 'acknowledged') return target.peerId;
        if (answer?.kind !== 'refused') continue;
        const { refusal } = answer;
        const isLater = TRY_ANOTHER.has(refusal.code);
        failure = new CommandFailure(isLater ? EXIT.unavailable : EXIT.refused, refusal);
        if (!isLater) break;
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        failure = error;
      }
    }
  } finally {
    await host.stop();
  }
  throw failure;
}

/** Another validator may take it. */
const TRY_ANOTHER: ReadonlySet<string> = new Set([
  ...['not-leader', 'leadership-lost', 'transferring', 'busy', 'no-quorum', 'stopping', 'schema-not-known'],
  'not-committed-yet',
]);
