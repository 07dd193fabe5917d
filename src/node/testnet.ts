/**
 * A whole network's directories at once: one a validator and one an observer, each with its keys, its configuration and
 * the common genesis, ready to start here or to be copied to the machine it is for.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { codedError, unwrap } from '../base/result.ts';
import { chainIdOf, formatGenesis, type Genesis } from '../ledger/genesis.ts';
import type { ChainParameters } from '../ledger/parameters.ts';
import type { NodeRecord } from '../ledger/record.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import { generateBlsKey, registrationOf, saveBlsKey } from './bls-key.ts';
import type { ConfigFile } from './config-schema.ts';
import { genesisValidatorOf } from './genesis-file.ts';
import { generateIdentityKey, saveNewIdentityKey, type IdentityKey } from './keys.ts';

export interface TestnetOptions {
  /** Made by this call; must not exist. */
  readonly directory: string;
  readonly name: string;
  readonly validators: number;
  readonly observers: number;
  /**
   * Host name or IP address of each validator, then of each observer where given; undefined: all on this machine, on
   * loopback.
   */
  readonly hosts: readonly string[] | undefined;
  /**
   * TCP port. On loopback each node takes the next one; 0 lets the system choose at every start, and the nodes find
   * each other through their address files.
   */
  readonly port: number;
  /** How validators agree; left out: by HotStuff. In a Raft cluster an observer is a server without a vote, which the cluster has to take in. */
  readonly consensus?: 'hotstuff' | 'raft';
  readonly commitDepth: 2 | 3;
  readonly parameters: ChainParameters;
  readonly records: readonly NodeRecord[];
  /** Unix seconds. */
  readonly timestamp: number;
  /** Settings that go into every node's configuration file. */
  readonly settings: Partial<ConfigFile>;
}

export interface Testnet {
  readonly chainId: string;
  readonly genesisFile: string;
  readonly nodes: readonly TestnetNode[];
}

export interface TestnetNode {
  /** `validator-1`, ..., `observer`. */
  readonly name: string;
  readonly role: 'validator' | 'observer';
  readonly peerId: string;
  readonly directory: string;
  readonly configFile: string;
  readonly dataDirectory: string;
}

interface Draft extends TestnetNode {
  readonly identity: IdentityKey;
  readonly blsKey: Uint8Array | null;
  /** Where it listens, and where others dial it; none when the system chooses the port. */
  readonly listen: string;
  readonly reachable: string | undefined;
  /** Where its Raft server is reached, `host:port`; null over libp2p, where the peer id says it. */
  readonly raftAddress: string | null;
}

/** Its Raft port is so much above the node's own. */
const RAFT_PORT_STEP = 100;

export const MAX_PORT = 65_535;

/** @throws CodedError `directory-exists`, `hosts-mismatch`, `usage` of ports that do not exist, or what the validator set refuses */
export async function makeTestnet(options: TestnetOptions, scheme: SignatureScheme): Promise<Testnet> {
  const { hosts, validators } = options;
  if (hosts !== undefined && hosts.length < validators) {
    throw codedError('hosts-mismatch', 'name one host for each validator, and then for each observer', {
      hosts: hosts.length,
      validators,
    });
  }
  checkPorts(options);
  await makeDirectory(options.directory);
  const drafts = Array.from({ length: validators + options.observers }, (_, index) => draftOf(options, index));
  const genesis = genesisOf(options, drafts, scheme);
  const genesisText = formatGenesis(genesis);
  for (const draft of drafts) await writeNode(draft, drafts, genesisText, options);
  const genesisFile = join(options.directory, 'genesis.json');
  await writeFile(genesisFile, genesisText);
  return {
    chainId: chainIdOf(genesis),
    genesisFile,
    nodes: drafts.map(({ name, role, peerId, directory, configFile, dataDirectory }) => ({
      name,
      role,
      peerId,
      directory,
      configFile,
      dataDirectory,
    })),
  };
}

/** On loopback each node has ports of its own. */
function checkPorts({ consensus, hosts, observers, port, validators }: TestnetOptions): void {
  if (port === 0) return;
  const highest =
    port + (consensus === 'raft' ? RAFT_PORT_STEP : 0) + (hosts === undefined ? validators + observers - 1 : 0);
  if (highest <= MAX_PORT) return;
  throw codedError('usage', `a port would be above ${MAX_PORT}: choose a lower --port`, { highest });
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: false, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
    throw codedError(
      code === 'EEXIST' ? 'directory-exists' : 'directory-missing',
      code === 'EEXIST'
        ? `${directory} exists already, and keys are never overwritten; choose another --out`
        : `the directory above ${directory} does not exist`,
      { directory },
      { cause: error },
    );
  }
}

function draftOf(options: TestnetOptions, index: number): Draft {
  const isValidator = index < options.validators;
  const number = isValidator ? index + 1 : index + 1 - options.validators;
  const name = isValidator ? `validator-${number}` : options.observers === 1 ? 'observer' : `observer-${number}`;
  const directory = join(options.directory, name);
  const identity = generateIdentityKey('ed25519');
  return {
    name,
    role: isValidator ? 'validator' : 'observer',
    peerId: identity.peerId,
    directory,
    configFile: join(directory, 'config.json'),
    dataDirectory: join(directory, 'data'),
    identity,
    blsKey: isValidator ? generateBlsKey() : null,
    ...addressesOf(options, index),
  };
}

function addressesOf(
  { hosts, port }: TestnetOptions,
  index: number,
): Pick<Draft, 'listen' | 'raftAddress' | 'reachable'> {
  if (hosts === undefined) {
    const listen = `/ip4/127.0.0.1/tcp/${port === 0 ? 0 : port + index}`;
    if (port === 0) return { listen, reachable: undefined, raftAddress: null };
    return { listen, reachable: listen, raftAddress: `127.0.0.1:${port + RAFT_PORT_STEP + index}` };
  }
  const host = hosts[index];
  const listen = `/ip4/0.0.0.0/tcp/${port}`;
  if (host === undefined) return { listen, reachable: undefined, raftAddress: null };
  const kind = addressKind(host);
  const name = kind === 'ip6' ? `[${host}]` : host;
  const raftAddress = port === 0 ? null : `${name}:${port + RAFT_PORT_STEP}`;
  return { listen, reachable: `/${kind}/${host}/tcp/${port}`, raftAddress };
}

function addressKind(host: string): 'ip4' | 'ip6' | 'dns' {
  if (/^\d+(\.\d+){3}$/.test(host)) return 'ip4';
  return host.includes(':') ? 'ip6' : 'dns';
}

function genesisOf(options: TestnetOptions, drafts: readonly Draft[], scheme: SignatureScheme): Genesis {
  const validators = drafts
    .flatMap(({ peerId, blsKey, reachable }) =>
      blsKey === null ? [] : [registrationOf(peerId, blsKey, reachable === undefined ? [] : [reachable], scheme)],
    )
    .map((registration) => unwrap(genesisValidatorOf(registration)))
    .sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
  unwrap(makeValidatorSet(0, validators, scheme));
  return {
    name: options.name,
    timestamp: options.timestamp,
    commitDepth: options.commitDepth,
    parameters: options.parameters,
    validators,
    records: options.records,
  };
}

async function writeNode(
  draft: Draft,
  all: readonly Draft[],
  genesisText: string,
  { consensus, hosts, settings }: TestnetOptions,
): Promise<void> {
  const others = all.filter((other) => other !== draft);
  await mkdir(draft.directory, { mode: 0o700 });
  await saveNewIdentityKey(join(draft.directory, 'masa_oracle_key'), draft.identity);
  if (draft.blsKey !== null) await saveBlsKey(join(draft.directory, 'bls_key'), draft.blsKey);
  const config: ConfigFile = {
    genesis: 'genesis.json',
    dataDirectory: 'data',
    identityKeyFile: 'masa_oracle_key',
    ...(draft.blsKey === null ? {} : { blsKeyFile: 'bls_key' }),
    listen: [draft.listen],
    ...(draft.reachable === undefined || draft.reachable === draft.listen ? {} : { announce: [draft.reachable] }),
    bootstrap: others.flatMap(({ peerId, reachable }) =>
      reachable === undefined ? [] : [`${reachable}/p2p/${peerId}`],
    ),
    addressFiles: others
      .filter(({ reachable }) => reachable === undefined)
      .map(({ dataDirectory }) => relative(draft.directory, join(dataDirectory, 'addresses.json'))),
    ...(consensus === 'raft' ? { raft: raftSection(draft, all, hosts === undefined) } : {}),
    ...settings,
  };
  await writeFile(draft.configFile, `${JSON.stringify(config, null, 2)}\n`);
  await writeFile(join(draft.directory, 'genesis.json'), genesisText);
}

/** All validators begin the cluster together; an observer knows them, and waits to be taken in. */
function raftSection(draft: Draft, all: readonly Draft[], isLoopback: boolean): ConfigFile['raft'] {
  const voters = all
    .filter(({ role }) => role === 'validator')
    .map(({ peerId, raftAddress }) => ({ id: peerId, address: raftAddress ?? peerId }));
  const members = draft.role === 'validator' ? { bootstrap: voters } : { cluster: voters };
  const { raftAddress } = draft;
  // No server of the older system will ever vote here.
  const common = { base: 'at-once', ...members } as const;
  if (raftAddress === null) return { transport: 'libp2p', ...common };
  const listen = isLoopback ? raftAddress : `0.0.0.0:${raftAddress.split(':').at(-1) ?? ''}`;
  return { listen, advertise: raftAddress, ...common };
}
