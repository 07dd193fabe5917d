/** Who has a say here, as the engine last told. */
import type { Leader } from '../../raft/contract.ts';
import type { LoggedConfiguration, Server, ServerId } from '../../raft/messages.ts';
import type { KnownServer } from '../../raft/sender.ts';

export class Members {
  #leader: Leader | null = null;
  /** Of the configuration in force, and of the one before it until that is committed. */
  #configured: readonly Server[];

  constructor(configurations: readonly LoggedConfiguration[]) {
    this.#configured = configurations.flatMap(({ configuration }) => configuration.servers);
  }

  get leader(): Leader | null {
    return this.#leader;
  }

  /** A leader that has removed itself leads until that is committed, so whom this server follows is one of them. */
  get known(): readonly KnownServer[] {
    return this.#leader === null ? this.#configured : unionOf<KnownServer>(this.#configured, [this.#leader]);
  }

  isConfigured(id: ServerId): boolean {
    return this.#configured.some((server) => server.id === id);
  }

  isOnlyVoter(self: ServerId): boolean {
    const voters = this.#configured.filter(({ suffrage }) => suffrage === 'voter');
    return voters.length === 1 && voters[0]?.id === self;
  }

  /** Whether what this server commits as a leader is on the disk of another one too. */
  sharesWhatItCommits(self: ServerId): boolean {
    return this.#leader?.id === self && this.#configured.filter(({ suffrage }) => suffrage === 'voter').length > 1;
  }

  leaderChanged(leader: Leader | null): void {
    this.#leader = leader;
  }

  configurationChanged({ configuration }: LoggedConfiguration, isCommitted: boolean): void {
    const { servers } = configuration;
    this.#configured = isCommitted ? servers : unionOf(servers, this.#configured);
  }
}

function unionOf<T extends KnownServer>(servers: readonly T[], others: readonly T[]): readonly T[] {
  const more = others.filter(({ id }) => !servers.some((server) => server.id === id));
  return more.length === 0 ? servers : [...servers, ...more];
}
