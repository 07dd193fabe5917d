/**
 * Scenarios of the Raft engine as text: commands, a line `----`, and what then happened, word for word. Under them is the
 * production engine, one for each server. A scenario that fails is a difference between two texts;
 * `UPDATE=1 vitest run test/raft/scenarios` writes what happens now. `N` is a server's number.
 *
 *     servers n=3 nonvoters=4 outside=5,6 stopped=yes trailing=2 batch=1      a cluster; its log begins with its configuration
 *     disk N terms=1,1,2 term=3 vote=1       what a stopped server has on its disk
 *     start N | crash N | start all
 *     campaign N                  time passes for N alone until it wants to lead
 *     tick N 300 | run 300        milliseconds, for one (nothing is delivered) or for all (everything is)
 *     stabilize                   all that is on its way arrives, and what it causes, until nothing moves
 *     elect N                     campaign and stabilize, telling nothing: for what a scenario is not about
 *     propose N a b c | barrier N
 *     lose name=x kind=append from=1 to=2 answer=yes index=3      whatever is named must agree; `hold` keeps them; `heal`, `heal x`
 *     partition 1,2 3             nothing passes between the groups
 *     deliver kind=.. from=..     once, those that agree, held or not | discard kind=..   those are gone
 *     stall N | resume N | resume-once N      the disk of N
 *     add-voter N 4 | add-nonvoter N 4 | demote N 4 | remove N 4      N is asked to
 *     transfer N 2 | transfer N | read N | snapshot N
 *     status | status N | log | log N | waiting
 *     quietly <command>           the same, told in no line
 */
import { assert } from '../../../src/base/assert.ts';
import type { ConfigurationChange } from '../../../src/raft/contract.ts';
import { Network, type Filter, type Passage } from '../network.ts';
import { addressOf, configurationOf, idOf, logOf } from '../words.ts';
import { isHeartbeat, tellEffect, tellLog, tellPassage, tellStatus } from './telling.ts';

interface Step {
  readonly commands: readonly string[];
}

/** Blocks that begin with `#` say what it is about, at the head or between steps. */
export interface Scenario {
  readonly blocks: readonly (string | Step)[];
}

export function parseScenario(text: string): Scenario {
  const blocks = text.trim().split(/\n\n+/);
  return {
    blocks: blocks.map((block) => {
      if (block.startsWith('#')) return block;
      const [commands = ''] = block.split(/^----$\n?/m);
      return { commands: commands.trim().split('\n') };
    }),
  };
}

/** The same scenario with what happens now. */
export function playScenario({ blocks }: Scenario): string {
  const stage = new Stage();
  const played = blocks.map((block) => {
    if (typeof block === 'string') return block;
    const output = block.commands.flatMap((command) => stage.perform(command));
    return [...block.commands, '----', ...(output.length === 0 ? ['(nothing)'] : output)].join('\n');
  });
  return `${played.join('\n\n')}\n`;
}

type Words = readonly string[];

class Stage {
  #network: Network | null = null;
  #lines: string[] = [];
  readonly #told = new Map<number, string>();
  #numbers = 0;

  get #cluster(): Network {
    assert(this.#network !== null, 'a scenario begins with `servers`', {});
    return this.#network;
  }

  perform(command: string): string[] {
    const [verb = '', ...words] = command.split(/\s+/);
    if (verb === 'quietly') {
      this.perform(words.join(' '));
      return [];
    }
    const perform = this.#verbs[verb];
    assert(perform !== undefined, 'a scenario has such a command', { verb });
    this.#lines = [];
    perform(words);
    return this.#lines;
  }

  readonly #verbs: Readonly<Record<string, (words: Words) => void>> = {
    servers: (words) => this.#build(optionsOf(words)),
    disk: ([number, ...words]) => this.#write(Number(number), optionsOf(words)),
    start: ([which]) => this.#each(which, (number) => this.#cluster.start(number)),
    crash: ([number]) => {
      this.#cluster.crash(Number(number));
      this.#told.delete(Number(number));
    },
    campaign: ([number]) => this.#cluster.campaign(Number(number)),
    elect: ([number]) => {
      this.#cluster.campaign(Number(number));
      this.#cluster.stabilize();
      this.#lines = [];
    },
    tick: ([number, ms]) => this.#cluster.tick(Number(number), Number(ms)),
    run: ([ms]) => this.#cluster.run(Number(ms)),
    stabilize: () => this.#cluster.stabilize(),
    propose: ([number, ...texts]) => this.#propose(Number(number), texts),
    barrier: ([number]) => {
      const proposal = { number: ++this.#numbers, type: 4 as const, data: null };
      this.#cluster.server(Number(number)).step({ kind: 'propose', proposals: [proposal] });
    },
    lose: (words) => this.#cluster.lose(...filterOf(words)),
    hold: (words) => this.#cluster.hold(...filterOf(words)),
    heal: ([name]) => this.#cluster.heal(name),
    partition: (groups) => this.#cluster.partition(...groups.map(numbersOf)),
    deliver: (words) => this.#counted(this.#cluster.deliver(filterOf(words)[1])),
    discard: (words) => this.#counted(this.#cluster.discard(filterOf(words)[1])),
    stall: ([number]) => this.#cluster.server(Number(number)).stallDisk(),
    resume: ([number]) => this.#cluster.server(Number(number)).resumeDisk(),
    'resume-once': ([number]) => this.#cluster.server(Number(number)).resumeDiskOnce(),
    'add-voter': ([at, whom]) => this.#change(at, { kind: 'addVoter', ...serverOf(whom) }),
    'add-nonvoter': ([at, whom]) => this.#change(at, { kind: 'addNonvoter', ...serverOf(whom) }),
    demote: ([at, whom]) => this.#change(at, { kind: 'demoteVoter', id: serverOf(whom).id }),
    remove: ([at, whom]) => this.#change(at, { kind: 'removeServer', id: serverOf(whom).id }),
    transfer: ([at, whom]) => {
      const to = whom === undefined ? null : serverOf(whom).id;
      this.#cluster.server(Number(at)).step({ kind: 'transferLeadership', request: ++this.#numbers, to });
    },
    read: ([at]) => this.#cluster.server(Number(at)).step({ kind: 'readIndex', request: ++this.#numbers }),
    snapshot: ([number]) => this.#cluster.server(Number(number)).takeSnapshot(),
    status: ([which]) => this.#each(which ?? 'all', (number) => this.#status(number)),
    log: ([which]) => this.#each(which ?? 'all', (number) => this.#lines.push(tellLog(this.#cluster.server(number)))),
    waiting: () => {
      for (const passage of this.#cluster.waiting) this.#lines.push(tellPassage(passage, 'sent'));
    },
  };

  #build(options: ReadonlyMap<string, string>): void {
    const voters = Array.from({ length: Number(options.get('n') ?? 3) }, (_, i) => i + 1);
    const limits = {
      ...numberOption(options, 'trailing', 'trailingEntries'),
      ...numberOption(options, 'batch', 'maxAppendEntries'),
      ...numberOption(options, 'flight', 'maxInFlight'),
      ...numberOption(options, 'uncommitted', 'maxUncommittedEntries'),
    };
    this.#network = new Network(
      {
        configuration: configurationOf(voters, numbersOf(options.get('nonvoters'))),
        outside: numbersOf(options.get('outside')),
        server: { limits },
      },
      {
        onEffect: (server, effect) => this.#tell(tellEffect(server, effect)),
        onPassage: (passage, fate) => {
          if (!isHeartbeat(passage)) this.#tell(tellPassage(passage, fate));
        },
        onStep: (server) => this.#tellRole(server.number),
      },
    );
    if (options.get('stopped') !== 'yes') this.#each('all', (number) => this.#cluster.start(number));
  }

  #write(number: number, options: ReadonlyMap<string, string>): void {
    const { disk } = this.#cluster.server(number);
    const configuration = disk.configurations(0)[0]?.configuration;
    assert(configuration !== undefined, 'a member has a configuration', { number });
    const entries = logOf(configuration, numbersOf(options.get('terms'))).slice(disk.lastIndex);
    const term = Number(options.get('term') ?? entries.at(-1)?.term ?? 1);
    const vote = options.get('vote');
    const votedFor = vote === undefined ? null : addressOf(Number(vote));
    disk.write({ hardState: { term, votedFor }, truncateFrom: null, entries });
  }

  #propose(number: number, texts: Words): void {
    const proposals = texts.map((text) => ({
      number: ++this.#numbers,
      type: 0 as const,
      data: new TextEncoder().encode(text),
    }));
    this.#cluster.server(number).step({ kind: 'propose', proposals });
  }

  #change(at: string | undefined, change: ConfigurationChange): void {
    this.#cluster.server(Number(at)).step({ kind: 'changeConfiguration', request: ++this.#numbers, change });
  }

  #each(which: string | undefined, perform: (number: number) => void): void {
    for (const number of this.#cluster.servers.keys()) {
      if (which === 'all' || numbersOf(which).includes(number)) perform(number);
    }
  }

  #status(number: number): void {
    const server = this.#cluster.server(number);
    this.#lines.push(server.isUp ? tellStatus(number, server.status) : `${number} is down`);
  }

  #tellRole(number: number): void {
    const { role, term } = this.#cluster.server(number).status;
    const now = `${number} is a ${role} in term ${term}`;
    if (this.#told.get(number) === now) return;
    if (this.#told.has(number)) this.#tell(now);
    this.#told.set(number, now);
  }

  #tell(line: string | null): void {
    if (line !== null) this.#lines.push(line);
  }

  #counted(count: number): void {
    if (count === 0) this.#lines.push('(none)');
  }
}

function optionsOf(words: Words): ReadonlyMap<string, string> {
  return new Map(words.map((word) => word.split('=') as [string, string]));
}

function numbersOf(text: string | undefined): number[] {
  return text === undefined || text === '' ? [] : text.split(',').map(Number);
}

function numberOption(options: ReadonlyMap<string, string>, name: string, as: string): Record<string, number> {
  const value = options.get(name);
  return value === undefined ? {} : { [as]: Number(value) };
}

function serverOf(number: string | undefined) {
  assert(number !== undefined, 'a server is named', {});
  return { id: idOf(Number(number)), address: addressOf(Number(number)) };
}

const KINDS: Readonly<Record<string, Passage['message']['kind']>> = {
  append: 'appendEntries',
  vote: 'requestVote',
  prevote: 'preVote',
  snapshot: 'installSnapshot',
  stand: 'timeoutNow',
};

/** `name=x kind=append from=1 to=2 channel=log answer=yes`: whatever is named must agree. */
function filterOf(words: Words): [name: string, filter: Filter] {
  const options = new Map(optionsOf(words));
  const name = options.get('name') ?? words.join(' ');
  options.delete('name');
  const agrees: Record<string, (passage: Passage, value: string) => boolean> = {
    kind: ({ message, channel }, value) =>
      value === 'heartbeat' ? channel === 'heartbeat' : message.kind === KINDS[value] && channel !== 'heartbeat',
    from: ({ from }, value) => numbersOf(value).includes(from),
    to: ({ to }, value) => numbersOf(value).includes(to),
    channel: ({ channel }, value) => channel === value,
    answer: ({ isAnswer }, value) => isAnswer === (value === 'yes'),
    index: ({ exchange: { request } }, value) =>
      request.kind === 'appendEntries' && (request.entries ?? []).some(({ index }) => index === Number(value)),
  };
  const demands = [...options].map(([option, value]) => {
    const demand = agrees[option];
    assert(demand !== undefined, 'a message is told by kind, from, to, channel, answer or index', { option });
    return (passage: Passage) => demand(passage, value);
  });
  return [name, (passage) => demands.every((demand) => demand(passage))];
}
