/**
 * The configuration of one node: a JSON file, then the environment, then flags, each over the one before, checked by
 * one schema. Unknown keys are refused by name, because a misspelt setting that is silently ignored is found at the
 * worst time.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { multiaddr } from '@multiformats/multiaddr';
import { z } from 'zod';
import { codedError } from '../base/result.ts';
import { environmentOverlay, type ConfigWarning } from './config-environment.ts';

const address = z
  .string()
  .max(256)
  .refine(isMultiaddr, { error: 'is not a multiaddr, such as /ip4/127.0.0.1/tcp/4001' });
const addressWithPeer = address.refine((text) => /\/p2p\/[^/]+$/.test(text), {
  error: 'must end in /p2p/<peer id>, so that whoever answers is checked',
});
const positive = z.int().min(1);

const submission = z.strictObject({
  /** Who may submit: anyone with a valid event, the listed peers, or peers whose record is staked. */
  policy: z.enum(['open', 'allow-list', 'staked']).default('open'),
  /** Peer ids for the policy `allow-list`. */
  allow: z.array(z.string().max(64)).max(10_000).default([]),
  /** Events a second of one peer; a relay submits for many nodes. */
  eventsPerSecondPerPeer: positive.default(20_000),
  /** Events a second of all peers together. */
  eventsPerSecond: positive.default(50_000),
  /** Events that wait for a commit; beyond it the answer is `busy`, with the time to wait. */
  waitingEvents: positive.default(16_384),
});

const pacemaker = z.strictObject({
  /** Timer of a round that follows a certificate directly; each silent round after it waits 1.2 times longer. */
  baseTimeoutMs: z.int().min(50).max(60_000).default(1_000),
});

const limits = z.strictObject({
  /** Connections in all, validators not counted. */
  connections: positive.default(512),
  /** Inbound connections a second from one IP address. */
  inboundConnectionsPerSecond: positive.default(100),
  /** Events in the mempool. */
  mempoolEvents: positive.default(16_384),
  /** Messages waiting for the loop, from all validators. */
  inboxMessages: positive.default(4_096),
  /** Bytes waiting to be sent to one validator. */
  outboxBytes: positive.default(16 * 1024 * 1024),
  /** Verified-read answers given to one peer in a second. */
  readsPerSecondPerPeer: positive.default(500),
});

const log = z.strictObject({
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Absent: standard output. */
  file: z.string().optional(),
});

const configSchema = z.strictObject({
  /** The genesis file that all nodes of the network share. */
  genesis: z.string(),
  /** Where the ledger lives. One running node a directory. */
  dataDirectory: z.string(),
  /** Hex of the libp2p private key protobuf, mode 0600. */
  identityKeyFile: z.string().default('masa_oracle_key'),
  /** The same, given in the environment instead of a file. */
  identityKeyHex: z.string().optional(),
  /** Present on a validator only. */
  blsKeyFile: z.string().optional(),
  listen: z.array(address).min(1).max(16).default(['/ip4/0.0.0.0/tcp/4001']),
  /** Addresses told to others instead of those listened on, for a node behind a translator. */
  announce: z.array(address).max(16).default([]),
  /** Peers to start from. */
  bootstrap: z.array(addressWithPeer).max(256).default([]),
  /** Address files of other nodes on this machine (`addresses.json` in their data directories). */
  addressFiles: z.array(z.string()).max(256).default([]),
  submission: submission.prefault({}),
  pacemaker: pacemaker.prefault({}),
  limits: limits.prefault({}),
  log: log.prefault({}),
});

export type ConfigFile = z.input<typeof configSchema>;
type Parsed = z.output<typeof configSchema>;

/** Checked and complete; every path absolute. */
export interface NodeConfig extends Readonly<Omit<Parsed, 'blsKeyFile' | 'identityKeyHex'>> {
  readonly role: 'validator' | 'observer';
  readonly identityKeyHex: string | null;
  readonly blsKeyFile: string | null;
  /** Unix-domain socket of the control endpoint. */
  readonly controlSocket: string;
  /** Where this node tells others on this machine how to dial it. */
  readonly addressFile: string;
}

type Section = 'submission' | 'pacemaker' | 'limits' | 'log';
type Some<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Some of the settings, nested as in the file. */
export type ConfigOverlay = Some<Omit<ConfigFile, Section>> & {
  readonly [K in Section]?: Some<NonNullable<ConfigFile[K]>> | undefined;
};

export interface ConfigSources {
  /** Path of the JSON file; undefined when all comes from the environment and flags. */
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: ConfigOverlay;
  /** Where relative paths in the environment and in flags start; those in the file start at the file. */
  readonly directory: string;
}

export interface LoadedConfig {
  readonly config: NodeConfig;
  readonly warnings: readonly ConfigWarning[];
}

/**
 * @throws CodedError `config-not-found`, `config-not-json`, `config-unknown-key`, `config-invalid`
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const fromFile = sources.file === undefined ? {} : await readConfigFile(resolve(sources.directory, sources.file));
  const environment = environmentOverlay(sources.environment);
  const layers = [fromFile, environment.overlay, sources.flags].map((layer, index) =>
    index === 0 ? layer : absolutePaths(layer as Record<string, unknown>, sources.directory),
  );
  const config = complete(parseConfig(layers.reduce(overlaid, {}), sources.file));
  return { config, warnings: environment.warnings };
}

/** Checks a configuration whose paths are absolute already. @throws CodedError as `loadConfig` does */
export function parseConfig(value: unknown, file?: string): Parsed {
  const parsed = configSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = file ?? 'environment and flags';
  if (issue?.code === 'unrecognized_keys') {
    const key = [...issue.path, issue.keys[0]].join('.');
    throw codedError(
      'config-unknown-key',
      `the configuration has no setting "${key}"; remove it, or see docs/configuration.md for the name meant`,
      { key, file: where },
    );
  }
  const path = issue?.path.join('.') ?? '';
  const missing = issue?.code === 'invalid_type' && issue.input === undefined;
  const reason = missing ? 'is missing' : (issue?.message ?? 'is not valid');
  throw codedError('config-invalid', `the setting "${path}" ${reason}`, { key: path, file: where });
}

async function readConfigFile(path: string): Promise<unknown> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    throw codedError(
      'config-not-found',
      `cannot read the configuration ${path}; "hotledger init" makes one`,
      { path },
      { cause: error },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw codedError('config-not-json', `${path} is not JSON: ${(error as Error).message}`, { path }, { cause: error });
  }
  return isPlainObject(value) ? absolutePaths(value, dirname(path)) : value;
}

const PATH_KEYS = ['genesis', 'dataDirectory', 'identityKeyFile', 'blsKeyFile'];

function absolutePaths(layer: Record<string, unknown>, directory: string): Record<string, unknown> {
  const absolute: Record<string, unknown> = { ...layer };
  for (const key of PATH_KEYS) absolute[key] = absolutePath(layer[key], directory);
  const files = layer['addressFiles'];
  if (Array.isArray(files)) absolute['addressFiles'] = files.map((file: unknown) => absolutePath(file, directory));
  const logging = layer['log'];
  if (isPlainObject(logging)) absolute['log'] = { ...logging, file: absolutePath(logging['file'], directory) };
  return absolute;
}

function absolutePath(value: unknown, directory: string): unknown {
  return typeof value === 'string' ? resolve(directory, value) : value;
}

/** The upper layer's settings over the lower's; sections merge, lists and values replace. */
function overlaid(lower: unknown, upper: unknown): unknown {
  if (!isPlainObject(lower) || !isPlainObject(upper)) return upper === undefined ? lower : upper;
  const merged: Record<string, unknown> = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    const result = overlaid(merged[key], value);
    if (result !== undefined) merged[key] = result;
  }
  return merged;
}

function complete(parsed: Parsed): NodeConfig {
  const { blsKeyFile, identityKeyHex, ...rest } = parsed;
  return {
    ...rest,
    // A default has no file or directory to start from but the data directory's parent, where `init` puts the keys.
    identityKeyFile: resolve(dirname(parsed.dataDirectory), parsed.identityKeyFile),
    identityKeyHex: identityKeyHex ?? null,
    blsKeyFile: blsKeyFile ?? null,
    role: blsKeyFile === undefined ? 'observer' : 'validator',
    controlSocket: join(parsed.dataDirectory, 'control.sock'),
    addressFile: join(parsed.dataDirectory, 'addresses.json'),
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMultiaddr(text: string): boolean {
  try {
    multiaddr(text);
    return true;
  } catch {
    return false;
  }
}
