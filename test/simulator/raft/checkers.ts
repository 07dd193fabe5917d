/** All checkers of a Raft cluster, told of everything that they look at, at every step. */
import { unwrap } from '../../../src/base/result.ts';
import type { Entry, LoggedConfiguration, RaftRequest } from '../../../src/raft/messages.ts';
import { configurationCodec } from '../../../src/raft/wire/configuration-codec.ts';
import type { WireResponse } from '../../../src/raft/wire/response-codec.ts';
import { BoundsChecker } from '../checkers/bounds.ts';
import type { Report } from '../checkers/violation.ts';
import type { RaftCast } from './cast.ts';
import { isConfiguration, type LogTerms } from './checkers/books.ts';
import { CommitChecker } from './checkers/commits.ts';
import { ConfigurationChecker } from './checkers/configurations.ts';
import { ElectionChecker } from './checkers/elections.ts';
import { LinearizabilityChecker } from './checkers/linearizability.ts';
import { LogChecker } from './checkers/logs.ts';
import { MachineChecker } from './checkers/machines.ts';
import { OutcomeChecker } from './checkers/outcomes.ts';
import { PromiseChecker } from './checkers/promises.ts';
import { VoteChecker } from './checkers/votes.ts';
import { DiskView } from './disk-view.ts';
import { writtenBy } from './registers.ts';
import type { RaftLife, SimulatedServer } from './simulated-server.ts';

/** What a life was seen to be at last. */
interface Seen {
  readonly term: number;
  readonly isLeader: boolean;
  readonly commitIndex: number;
  readonly durableIndex: number;
  readonly lastIndex: number;
  readonly configuration: LoggedConfiguration;
  /** Of its log when it began to lead. */
  readonly ledFrom: number;
}

interface Sizes {
  readonly 'entries in one append': number;
  readonly 'appends without an answer': number;
  readonly 'entries that are not committed': number;
  readonly 'batches on their way to the disk': number;
}

/** The no-op that a leader begins with, and one configuration. */
const OWN_ENTRIES = 2;
/** One under way, and the snapshot that is written beside. */
const MAX_WRITES = 2;

export class RaftCheckers {
  readonly elections: ElectionChecker;
  readonly commits: CommitChecker;
  readonly linearizability: LinearizabilityChecker;
  readonly outcomes: OutcomeChecker;
  readonly #votes: VoteChecker;
  readonly #logs: LogChecker;
  readonly #machines: MachineChecker;
  readonly #promises: PromiseChecker;
  readonly #configurations: ConfigurationChecker;
  readonly #bounds: BoundsChecker<Sizes>;
  readonly #disks = new Map<string, DiskView>();
  readonly #seen = new Map<RaftLife, Seen>();
  readonly #window: number;
  /** Of a leader to a follower, on a connection of its own: the window behind it is new, what was sent before may be unanswered. */
  readonly #sentSnapshots = new Set<string>();

  constructor({ limits }: RaftCast, report: Report) {
    this.#window = limits.maxInFlight;
    this.elections = new ElectionChecker(report);
    this.commits = new CommitChecker((id, index, term) => this.#disks.get(id)?.holds(index, term) === true, report);
    this.linearizability = new LinearizabilityChecker(report);
    this.outcomes = new OutcomeChecker(report);
    this.#votes = new VoteChecker(report);
    this.#logs = new LogChecker(report);
    this.#machines = new MachineChecker(() => this.commits.highest, report);
    this.#promises = new PromiseChecker(report);
    this.#configurations = new ConfigurationChecker(report);
    this.#bounds = new BoundsChecker<Sizes>(
      {
        'entries in one append': limits.maxAppendEntries,
        'appends without an answer': limits.maxInFlight,
        'entries that are not committed': limits.maxUncommittedEntries + OWN_ENTRIES,
        'batches on their way to the disk': MAX_WRITES,
      },
      report,
    );
  }

  /** Everything that becomes durable on its disk is looked at from now on. */
  watch({ disk, serverId: id }: SimulatedServer): void {
    /** In the log on the disk, or of the snapshot that it begins behind, ascending. */
    let configurations: readonly LoggedConfiguration[] = [];
    const view: DiskView = new DiskView({
      hardState: (now) => this.#votes.written(id, now),
      entry: (entry, previousTerm) => {
        this.#logs.seen(id, entry, previousTerm);
        // What was there, and behind it, is cut off.
        configurations = configurations.filter(({ index }) => index < entry.index);
        if (!isConfiguration(entry)) return;
        const next = { index: entry.index, configuration: unwrap(configurationCodec.decode(entry)) };
        const before = configurations.at(-1);
        if (before !== undefined) this.#configurations.follows(before, next, null);
        configurations = [...configurations, next];
      },
      deleted: (index) => {
        // What a snapshot stands for is not undone.
        if (index > view.snapshotIndex) configurations = configurations.filter((other) => other.index !== index);
      },
      snapshot: ({ configuration, lastIndex }) => {
        // What this log held up to there, and the snapshot does not name, was never committed.
        configurations = [configuration, ...configurations.filter(({ index }) => index > lastIndex)];
      },
    });
    disk.onDurable = (operations) => view.durable(operations);
    this.#disks.set(id, view);
  }

  diskOf(id: string): DiskView {
    return this.#disks.get(id)!;
  }

  started(life: RaftLife): void {
    const { node, registers, server } = life;
    if (registers === null || server === null) return;
    this.#votes.started(node.serverId, { term: server.status().term });
    this.#machines.started(node.serverId, registers.index, registers.digest);
    this.look(life);
  }

  stopped({ serverId }: SimulatedServer): void {
    this.commits.stopped(serverId);
  }

  applied(life: RaftLife, entry: Entry, digest: string): void {
    const { node } = life;
    // It may have been counted just now, by this server.
    this.look(life);
    this.#machines.applied(node.serverId, entry, digest);
    const written = writtenBy(entry);
    if (written !== null) this.outcomes.applied(`${written.key}=${written.value}`, entry.index);
  }

  restored({ node }: RaftLife, index: number, digest: string): void {
    this.#machines.restored(node.serverId, index, digest);
  }

  /** A request leaves a machine. @param waiting on its connection, this one as well */
  asks(from: SimulatedServer, to: SimulatedServer, request: RaftRequest, waiting: number): void {
    this.#votes.asks(from.serverId, from.address, request);
    const pair = `${from.serverId} ${to.serverId}`;
    if (request.kind === 'installSnapshot') {
      this.elections.leads(from.serverId, request.term);
      this.#sentSnapshots.add(pair);
    }
    if (request.kind !== 'appendEntries') return;
    if (waiting === 1) this.#sentSnapshots.delete(pair);
    this.elections.leads(from.serverId, request.term);
    let previousTerm = request.prevTerm;
    for (const entry of request.entries ?? []) {
      this.#logs.seen(`${from.serverId} to ${to.serverId}`, entry, entry.index === 1 ? 0 : previousTerm);
      previousTerm = entry.term;
    }
    this.#bounds.check(from.serverId, {
      'entries in one append': request.entries?.length ?? 0,
      'appends without an answer':
        request.entries === null ? 0 : waiting - (this.#sentSnapshots.has(pair) ? this.#window : 0),
    });
  }

  /** An answer leaves a machine. */
  answers(by: SimulatedServer, request: RaftRequest, { response }: WireResponse): void {
    if (response === null) return;
    const disk = this.diskOf(by.serverId);
    this.#votes.answers(by.serverId, request, response);
    if (request.kind === 'appendEntries' && response.kind === 'appendEntries') {
      this.#promises.appended(by.serverId, request, response, disk);
    } else if (request.kind === 'installSnapshot' && response.kind === 'installSnapshot' && response.success) {
      this.#promises.installed(by.serverId, request, disk);
    }
  }

  /** At whatever its process did. */
  look(life: RaftLife): void {
    const { node, server, store } = life;
    if (server === null || life.ended) return;
    const { commitIndex, configuration, durableIndex, lastIndex, role, term } = server.status();
    const before = this.#seen.get(life);
    const isLeader = role === 'leader';
    const log: LogTerms = { lastIndex, termAt: (index) => server.entry(index)?.term };
    const isElected = isLeader && !(before?.isLeader === true && before.term === term);
    if (isElected) this.#elected(node.serverId, term, log);
    const ledFrom = isElected ? lastIndex : (before?.ledFrom ?? 0);
    if (isLeader) this.#counts(node.serverId, { commitIndex, configuration, log, term }, before);
    else if (before?.isLeader === true && commitIndex > this.commits.highest) {
      // It committed its own removal, or something of its term, and stepped down in the same turn.
      this.#counts(node.serverId, { commitIndex, configuration, log, term: before.term }, before);
    }
    if (
      configuration !== before?.configuration ||
      (configuration.index > commitIndex && lastIndex !== before.lastIndex)
    ) {
      const entry = configuration.index === 0 ? undefined : server.entry(configuration.index);
      this.#configurations.inForce(node.serverId, configuration, lastIndex, entry);
    }
    if (durableIndex !== before?.durableIndex) {
      this.#promises.believes(node.serverId, durableIndex, log.termAt(durableIndex), this.diskOf(node.serverId));
    }
    if (commitIndex !== before?.commitIndex) this.commits.knows(node.serverId, commitIndex, lastIndex);
    this.#bounds.check(node.serverId, {
      'batches on their way to the disk': store.writing.length,
      ...(isLeader ? { 'entries that are not committed': lastIndex - Math.max(commitIndex, ledFrom) } : {}),
    });
    this.#seen.set(life, { term, isLeader, commitIndex, durableIndex, lastIndex, configuration, ledFrom });
  }

  #elected(id: string, term: number, log: LogTerms): void {
    this.elections.leads(id, term);
    // Its own no-op may be the last one already.
    const terms = new Map<number, number | undefined>();
    const first = Math.max(1, this.commits.highest);
    for (let index = first; index <= log.lastIndex; index++) terms.set(index, log.termAt(index));
    const kept: LogTerms = {
      lastIndex: log.lastIndex,
      termAt: (index) => (index < first ? log.termAt(index) : terms.get(index)),
    };
    this.commits.elected(id, term, kept);
  }

  #counts(
    id: string,
    now: Pick<Seen, 'commitIndex' | 'configuration' | 'term'> & { readonly log: LogTerms },
    before: Seen | undefined,
  ): void {
    const { commitIndex, configuration, log, term } = now;
    if (commitIndex > (before?.commitIndex ?? 0) && commitIndex > 0) {
      this.commits.countedBy(id, term, commitIndex, log, configuration.configuration);
    }
    if (before === undefined || !before.isLeader || before.term !== term) return;
    if (configuration.index <= before.configuration.index || log.termAt(configuration.index) !== term) return;
    const appending = { id, term, commitIndex, commitTerm: log.termAt(commitIndex) ?? term };
    this.#configurations.follows(before.configuration, configuration, appending);
  }
}
