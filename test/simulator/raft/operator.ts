/**
 * Whoever runs a Raft cluster: asks its leader for changes, one after the other, and again until each is so or is given
 * up. Keeps the list of the cluster, and switches off what was removed.
 */
import type { ConfigurationChange } from '../../../src/raft/contract.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Tally } from '../tally.ts';
import type { Wish } from './episode.ts';
import type { RaftLife, SimulatedServer } from './simulated-server.ts';

export interface OperatorOptions {
  readonly scheduler: Scheduler;
  readonly tally: Tally;
  readonly nodes: readonly SimulatedServer[];
  readonly leader: () => RaftLife | null;
  /** In the first configuration. */
  readonly first: readonly SimulatedServer[];
  readonly listsRemoved: boolean;
  readonly note: (text: string) => void;
  /** It is to come in: it must run. */
  readonly onComing: (node: SimulatedServer) => void;
  /** It was removed, as everybody will learn who is still there. */
  readonly onRemoved: (node: SimulatedServer) => void;
}

type Step = Exclude<Wish, { readonly kind: 'replace' }>;

const TRY_EVERY_MS = 100;
/** A step that could not be done so often is given up, and what comes after it. */
const MOST_TRIES = 60;

export class Operator {
  readonly listed: Set<SimulatedServer>;
  readonly #options: OperatorOptions;
  #steps: readonly Step[] = [];
  #tries = 0;
  /** Of the present step: an answer that comes later is of no interest. */
  #asking = 0;
  #isAsking = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.listed = new Set(options.first);
  }

  start(): void {
    this.#options.scheduler.after(TRY_EVERY_MS, null, () => {
      this.#try();
      this.start();
    });
  }

  wish(wish: Wish): void {
    this.#options.tally.count(`wish: ${wish.kind}`);
    this.#steps = [...this.#steps, ...stepsOf(wish)];
  }

  /** What was not done by now is not wished for any more. */
  giveUp(): void {
    this.#steps = [];
    this.#tries = 0;
    this.#asking++;
    this.#isAsking = false;
  }

  #try(): void {
    const [step] = this.#steps;
    if (step === undefined) return;
    if (++this.#tries > MOST_TRIES) {
      this.#options.tally.count('wish: given up');
      return this.giveUp();
    }
    const leader = this.#options.leader();
    if (this.#isAsking || leader?.server === null || leader === null) return;
    const node = this.#options.nodes[step.node]!;
    if (step.kind === 'addVoter' || step.kind === 'addNonvoter') {
      this.listed.add(node);
      this.#options.onComing(node);
    }
    const asking = ++this.#asking;
    this.#isAsking = true;
    this.#options.scheduler.after(0, leader, () => {
      void leader.server?.changeConfiguration(changeOf(step, node)).then((outcome) => {
        if (asking !== this.#asking) return;
        this.#isAsking = false;
        if (outcome.ok) this.#done(step, node);
        else this.#options.tally.count(`operator: ${outcome.refusal.code}`);
      });
    });
    // Its leader may be gone by now.
    this.#options.scheduler.after(20 * TRY_EVERY_MS, null, () => {
      if (asking === this.#asking) this.#isAsking = false;
    });
  }

  #done(step: Step, node: SimulatedServer): void {
    const { listsRemoved, note, onRemoved, tally } = this.#options;
    note(`${node.id} ${step.kind} done`);
    tally.count(`change: ${step.kind}`);
    this.#steps = this.#steps.slice(1);
    this.#tries = 0;
    if (step.kind !== 'removeServer') return;
    if (!listsRemoved) this.listed.delete(node);
    onRemoved(node);
  }
}

function stepsOf(wish: Wish): readonly Step[] {
  if (wish.kind === 'addVoter') return [{ ...wish, kind: 'addNonvoter' }, wish];
  if (wish.kind !== 'replace') return [wish];
  const { by, node } = wish;
  return [
    { kind: 'addNonvoter', node: by },
    { kind: 'addVoter', node: by },
    { kind: 'removeServer', node },
  ];
}

function changeOf({ kind }: Step, { address, serverId: id }: SimulatedServer): ConfigurationChange {
  return kind === 'addVoter' || kind === 'addNonvoter' ? { kind, id, address } : { kind, id };
}
