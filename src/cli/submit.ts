/** `hotledger submit`: one event of a node, signed with its key. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { CodedError, codedError } from '../base/result.ts';
import { chainIdOf } from '../ledger/genesis.ts';
import type { Capabilities1 } from '../ledger/event-schema.ts';
import type { WrittenEvent } from '../ledger/event.ts';
import { loadIdentityKey } from '../node/keys.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../node/sign-event.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { networkOf, withNetworkChoice, type Network, type NetworkChoice } from './network-choice.ts';
import { gathered, positiveDuration, wholeNumber } from './options.ts';
import { durationText, printFacts, printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

const TYPES = [
  'joined',
  'left',
  'addressesChanged',
  'capabilitiesDeclared',
  'versionChanged',
  'heartbeat',
  'proposed',
  'approved',
] as const;
type Type = (typeof TYPES)[number];

interface Options extends NetworkChoice {
  readonly key: string;
  readonly address?: readonly string[];
  /** False: with `--no-addresses`. */
  readonly addresses: boolean;
  readonly nodeVersion?: string;
  readonly twitter?: true;
  readonly discord?: true;
  readonly telegram?: true;
  readonly web?: true;
  readonly llm?: true;
  readonly action?: string;
  readonly epoch?: number;
  readonly replaces?: string;
  readonly expires?: number;
  readonly proposal?: string;
  readonly seq?: number;
  readonly timeout: number;
  readonly dryRun?: true;
  readonly json?: true;
}

const EXAMPLES = `
Types: joined, left, addressesChanged, capabilitiesDeclared, versionChanged, heartbeat; of validators: proposed, approved.
The capabilities can also be set as TWITTER_SCRAPER, DISCORD_SCRAPER, TELEGRAM_SCRAPER, WEB_SCRAPER, LLM_SERVER=true.
The last is of event schema 2: before the ledger has come so far, such an event is refused (schema-not-active).
It waits until the event is committed. Exits with 4 when the network refuses it, 5 when nobody answered: the same command
with the same --seq can then be repeated, and is committed once.

Examples:
  hotledger submit joined --key ./me/masa_oracle_key --config ./me/config.json \\
      --address /ip4/203.0.113.7/tcp/4001 --node-version v0.6.0 --web
  hotledger submit heartbeat --key ./me/masa_oracle_key --config ./me/config.json
  hotledger submit proposed --key ./v1/masa_oracle_key --config ./v1/config.json --replaces ${'0'.repeat(8)}... \\
      --action '{"kind":"stakeStatusChanged","peerId":"16Uiu2HA...","isStaked":true,"reference":"tx 0x12"}'`;

/** Unix milliseconds until the year 2286: after a higher one no event of the key could follow for ever. */
const MAX_SEQ = 9_999_999_999_999;

export function submitCommand(terminal: Terminal): Command {
  return withNetworkChoice(
    new Command('submit')
      .summary('sign an event of a node with its key and submit it')
      .description('Signs one event with the key of the node that it is about, and submits it to a validator.')
      .argument('<type>', 'what happened; see below'),
  )
    .requiredOption('--key <file>', "the node's identity key file")
    .option('--address <addr>', 'joined, addressesChanged: a multiaddr of the node; repeatable', gathered)
    .option('--no-addresses', 'addressesChanged: the node has none any more')
    .option('--node-version <text>', 'joined, versionChanged: the version that the node runs')
    .option('--twitter', 'joined, capabilitiesDeclared: it scrapes Twitter')
    .option('--discord', 'the same for Discord')
    .option('--telegram', 'the same for Telegram')
    .option('--web', 'the same for the web')
    .option('--llm', 'the same: it is an LLM server')
    .option('--action <json>', 'proposed: the action, as JSON')
    .option('--epoch <n>', 'proposed: the epoch it is for', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--replaces <hash>', 'proposed: digest of the value that it replaces')
    .option('--expires <time>', 'proposed: void after this time from now', positiveDuration, 3_600_000)
    .option('--proposal <id>', 'approved: event id of the proposal')
    .option('--seq <n>', 'sequence number (default: unix milliseconds)', wholeNumber(1, MAX_SEQ))
    .option('--timeout <time>', 'give up after this time', positiveDuration, 30_000)
    .addOption(new Option('--dry-run', 'sign and print the submission as JSON, and send nothing'))
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((type: string, options: Options) => submit(type, options, terminal));
}

async function submit(type: string, options: Options, terminal: Terminal): Promise<void> {
  if (!isType(type)) throw codedError('usage', `"${type}" is not a type of event; one of: ${TYPES.join(', ')}`);
  const body = bodyOf(type, options, terminal);
  const key = await loadIdentityKey({
    identityKeyFile: resolve(terminal.directory, options.key),
    identityKeyHex: null,
  });
  const network = await networkOf(options, terminal);
  const nowMs = Date.now();
  const event = {
    ...body,
    peerId: key.peerId,
    seq: options.seq ?? nowMs,
    time: Math.floor(nowMs / 1000),
  } as WrittenEvent;
  const signed = signEvent(key, chainIdOf(network.genesis), event);
  if (options.dryRun) {
    printJson(terminal, signed.submission);
    return;
  }
  const startedMs = performance.now();
  const validator = await send(signed, key.protobuf, network, options.timeout);
  const tookMs = Math.round(performance.now() - startedMs);
  if (options.json) {
    printJson(terminal, {
      acknowledged: true,
      event: signed.id,
      peerId: key.peerId,
      seq: event.seq,
      validator,
      tookMs,
    });
    return;
  }
  printFacts(terminal, [
    ['committed', type],
    ['event', signed.id],
    ['peer id', key.peerId],
    ['seq', event.seq],
    ['by', validator],
    ['took', durationText(tookMs)],
  ]);
}

/** @returns the peer id of the validator that acknowledged it */
async function send(
  signed: OwnSignedEvent,
  identity: Uint8Array,
  network: Network,
  timeoutMs: number,
): Promise<string> {
  const { createHost } = await import('../net/host.ts');
  const { submitJson } = await import('../net/submission-client.ts');
  const host = await createHost({
    identity: identity,
    listen: [],
    chainId: chainIdOf(network.genesis),
  });
  try {
    const giveUpAtMs = Date.now() + timeoutMs;
    let failure: unknown = codedError('peer-unreachable', 'no address of a validator is known; give --from');
    const targets = targetsOf(network);
    for (let target = targets.shift(); target !== undefined; target = targets.shift()) {
      const deadlineMs = giveUpAtMs - Date.now();
      if (deadlineMs <= 0) break;
      try {
        const answer = await submitJson(host, target, signed.submission, { deadlineMs });
        if (answer.ok) return target.peerId;
        if (ASK_ANOTHER.has(answer.refusal.code) && targets.length > 0) {
          failure = new CodedError(answer.refusal);
          continue;
        }
        throw new CommandFailure(RETRIABLE.has(answer.refusal.code) ? EXIT.unavailable : EXIT.refused, answer.refusal);
      } catch (error) {
        if (error instanceof CommandFailure) throw error;
        failure = error;
      }
    }
    throw unreachableError(failure);
  } finally {
    await host.stop();
  }
}

/** Another one leads the Raft cluster, or runs a newer program. */
const ASK_ANOTHER = new Set(['not-leader', 'schema-not-known']);

const RETRIABLE = new Set([
  ...['busy', 'no-quorum', 'not-committed-yet', 'stopping', 'rate-limited'],
  ...['not-leader', 'leadership-lost', 'transferring', 'before-base'],
]);

function targetsOf({ genesis, addresses, named }: Network): { peerId: string; multiaddrs: readonly string[] }[] {
  if (named.length > 0) return [...named];
  return genesis.validators
    .map(({ peerId }) => ({ peerId, multiaddrs: addresses.of(peerId) }))
    .filter(({ multiaddrs }) => multiaddrs.length > 0);
}

function unreachableError(cause: unknown): CommandFailure {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = 'no validator answered; the event may or may not be committed: repeat it with the same --seq';
  return new CommandFailure(EXIT.unavailable, { code: 'peer-unreachable', message, details: { reason } });
}

function isType(type: string): type is Type {
  return (TYPES as readonly string[]).includes(type);
}

function bodyOf(type: Type, options: Options, terminal: Terminal): EventBody {
  switch (type) {
    case 'joined':
      return {
        type,
        multiaddrs: options.address ?? [],
        version: given(options.nodeVersion, '--node-version'),
        ...capabilitiesOf(options, terminal),
      };
    case 'addressesChanged':
      return { type, multiaddrs: changedAddresses(options) };
    case 'capabilitiesDeclared':
      return { type, ...capabilitiesOf(options, terminal) };
    case 'versionChanged':
      return { type, version: given(options.nodeVersion, '--node-version') };
    case 'approved':
      return { type, proposal: given(options.proposal, '--proposal') } as EventBody;
    case 'proposed':
      return proposedBody(options);
    default:
      return { type };
  }
}

/** An empty shell variable must not take a node's addresses away. */
function changedAddresses({ address = [], addresses }: Options): readonly string[] {
  if (!addresses && address.length === 0) return [];
  if (addresses && address.length > 0) return address;
  throw codedError('usage', 'addressesChanged takes each --address that the node has, or --no-addresses for none');
}

function proposedBody(options: Options): EventBody {
  const text = given(options.action, '--action');
  let action: unknown;
  try {
    action = JSON.parse(text);
  } catch (error) {
    throw codedError('usage', `--action is not JSON: ${(error as Error).message}`);
  }
  // What the action may hold is judged by the ledger's own schema, at the validator.
  return {
    type: 'proposed',
    action,
    epoch: options.epoch ?? 0,
    replaces: given(options.replaces, '--replaces'),
    expires: Math.floor((Date.now() + (options.expires ?? 0)) / 1000),
  } as EventBody;
}

/** In the oldest form that can say it, which every ledger accepts. */
function capabilitiesOf(
  options: Options,
  { environment }: Terminal,
): Capabilities1 | (Capabilities1 & { readonly schema: 2; readonly isLlmServer: true }) {
  const isSet = (flag: true | undefined, variable: string): boolean => flag ?? environment[variable] === 'true';
  const capabilities = {
    isTwitterScraper: isSet(options.twitter, 'TWITTER_SCRAPER'),
    isDiscordScraper: isSet(options.discord, 'DISCORD_SCRAPER'),
    isTelegramScraper: isSet(options.telegram, 'TELEGRAM_SCRAPER'),
    isWebScraper: isSet(options.web, 'WEB_SCRAPER'),
  };
  return isSet(options.llm, 'LLM_SERVER') ? { ...capabilities, schema: 2, isLlmServer: true } : capabilities;
}

function given(value: string | undefined, flag: string): string {
  if (value === undefined) throw codedError('usage', `this type of event needs ${flag}`);
  return value;
}
