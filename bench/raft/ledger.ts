/** The whole ledger under Raft: three members, each a process, events with real signatures, submitted inside the leader. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../test/eventually.ts';
import { freePort } from '../../test/interop/ports.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { generateBlsKey, registrationOf } from '../../src/node/bls-key.ts';
import { genesisValidatorOf } from '../../src/node/genesis-file.ts';
import { generateIdentityKey } from '../../src/node/keys.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { unwrap } from '../../src/base/result.ts';
import type { Summary } from '../measure.ts';

export interface MemberOptions {
  readonly id: string;
  readonly address: string;
  readonly servers: readonly { readonly id: string; readonly address: string }[];
  readonly directory: string;
  readonly genesis: string;
}

export type Order =
  | { readonly kind: 'status' }
  | { readonly kind: 'base' }
  /** So many events of so many nodes, to be submitted by the next `load`. */
  | { readonly kind: 'sign'; readonly nodes: number; readonly events: number }
  | { readonly kind: 'load'; readonly inFlight: number };

export interface Answer {
  readonly leads?: boolean;
  readonly applied?: number;
  readonly lastIndex?: number;
  readonly stateRoot?: string | null;
  readonly cpuUs?: number;
  readonly perSecond?: number;
  readonly latency?: Summary;
}

export interface LedgerLoad {
  readonly inFlight: number;
  readonly events: number;
}

export interface LedgerFigures {
  readonly inFlight: number;
  readonly perSecond: number;
  readonly latency: Summary;
  /** Of all members together, an event. */
  readonly cpuUsPerEvent: number;
}

const MEMBERS = 3;
const NODES = 1_000;
const LIMIT_MS = 120_000;

export async function measureRaftLedger(
  parent: string,
  { loads, warmUp }: { readonly loads: readonly LedgerLoad[]; readonly warmUp: number },
): Promise<readonly LedgerFigures[]> {
  const directory = await mkdtemp(join(parent, 'hl-bench-ledger-'));
  const members = await startMembers(directory);
  try {
    const leader = await leaderOf(members);
    await leader.ask({ kind: 'base' });
    await runLoad(members, leader, { inFlight: 64, events: warmUp });
    const figures: LedgerFigures[] = [];
    for (const load of loads) figures.push(await runLoad(members, leader, load));
    return figures;
  } finally {
    for (const member of members) await member.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function runLoad(
  members: readonly Member[],
  leader: Member,
  { events, inFlight }: LedgerLoad,
): Promise<LedgerFigures> {
  await leader.ask({ kind: 'sign', nodes: NODES, events });
  const before = await cpuUs(members);
  const { latency, perSecond } = await leader.ask({ kind: 'load', inFlight });
  await agreed(members);
  const cpuUsPerEvent = ((await cpuUs(members)) - before) / events;
  if (latency === undefined || perSecond === undefined) throw new Error('a load has figures');
  return { inFlight, perSecond, latency, cpuUsPerEvent };
}

async function leaderOf(members: readonly Member[]): Promise<Member> {
  return eventually('a member leads', async () => {
    for (const member of members) if ((await member.ask({ kind: 'status' })).leads === true) return member;
    return undefined;
  });
}

/** @throws Error when the members come to different states */
async function agreed(members: readonly Member[]): Promise<void> {
  await eventually('all members hold the same', async () => {
    const all = await Promise.all(members.map((member) => member.ask({ kind: 'status' })));
    const [first] = all;
    return (
      all.every(({ applied, stateRoot }) => applied === first?.lastIndex && stateRoot === first?.stateRoot) || undefined
    );
  });
}

async function cpuUs(members: readonly Member[]): Promise<number> {
  const all = await Promise.all(members.map((member) => member.ask({ kind: 'status' })));
  return all.reduce((sum, answer) => sum + (answer.cpuUs ?? 0), 0);
}

async function startMembers(directory: string): Promise<readonly Member[]> {
  const servers: { readonly id: string; readonly address: string }[] = [];
  for (let i = 1; i <= MEMBERS; i++) servers.push({ id: `m${i}`, address: `127.0.0.1:${await freePort()}` });
  const genesis = oneGenesis();
  return Promise.all(
    servers.map((server) => Member.start({ ...server, servers, directory: join(directory, server.id), genesis })),
  );
}

function oneGenesis(): string {
  const key = generateIdentityKey('ed25519');
  const registration = registrationOf(key.peerId, generateBlsKey(), [], nativeScheme);
  return formatGenesis({
    name: 'bench',
    timestamp: Math.floor(Date.now() / 1000) - 3600,
    commitDepth: 2,
    parameters: DEFAULT_PARAMETERS,
    validators: [unwrap(genesisValidatorOf(registration))],
    records: [],
  });
}

class Member {
  readonly #process: ChildProcess;
  readonly #ended = new AbortController();

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.once('exit', () => this.#ended.abort());
  }

  static async start(options: MemberOptions): Promise<Member> {
    const program = new URL('./ledger-member.ts', import.meta.url);
    const member = new Member(
      fork(program, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
    await member.#answer();
    return member;
  }

  /** One order at a time. */
  ask(order: Order): Promise<Answer> {
    const answer = this.#answer();
    this.#process.send(order);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.disconnect();
    await exited;
  }

  async #answer(): Promise<Answer> {
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(LIMIT_MS)]);
    const [answer] = (await once(this.#process, 'message', { signal })) as [Answer];
    return answer;
  }
}
