/**
 * What a leader knows of one other server, and how it sends to it.
 *
 *     probe     one request at a time, until an answer says where the logs meet; after a failure, with a pause
 *     pipeline  requests one behind the other, as many as the window takes
 *     snapshot  the log begins too late for it: a snapshot is on its way
 *
 * `epoch` counts the changes of state: of a request of an earlier epoch, nothing is learned about the window.
 */
import type { RaftLimits } from './contract.ts';
import type { Server } from './messages.ts';

/** The pause after a failure doubles from this on, up to `heartbeatMs`. */
const FIRST_PAUSE_MS = 10;

export class Progress {
  /** Its address or its suffrage may change while it is followed. */
  server: Server;
  state: 'probe' | 'pipeline' | 'snapshot' = 'probe';
  epoch = 0;
  /** Its log is the leader's up to here, durably. */
  match = 0;
  /** What is sent next. */
  next: number;
  inFlight = 0;
  inFlightBytes = 0;
  /** The greatest commit index that it was sent, with the entries up to it. */
  sentCommit = 0;
  failures = 0;
  retryAtMs = 0;
  /** When any answer of it last came. */
  heardAtMs: number | null = null;
  readonly followedSinceMs: number;
  /**
   * Entries from here on are sent only once this one is committed: it takes the vote from this server. Were it the only
   * one to hold it beside a leader that fails, it could neither stand nor vote for anybody else.
   */
  holdFrom = Infinity;
  /** It was removed, and is sent that until then at the latest. */
  leavesAtMs = Infinity;
  /** The last round of `reading.ts` that it was asked in, and the last in which it said that this is its leader. */
  sentRound = 0;
  confirmedRound = 0;
  heartbeatsInFlight = 0;
  heartbeatSentAtMs = 0;

  constructor(server: Server, next: number, nowMs: number) {
    this.server = server;
    this.next = next;
    this.followedSinceMs = nowMs;
  }

  get isVoter(): boolean {
    return this.server.suffrage === 'voter';
  }

  /** From when on it counts as silent: a leader gives each server the time since it follows it. */
  get lastSignMs(): number {
    return this.heardAtMs ?? this.followedSinceMs;
  }

  get isLeaving(): boolean {
    return this.leavesAtMs !== Infinity;
  }

  /** It knows that it was removed, and that this is committed. */
  get knowsThatItLeft(): boolean {
    return this.isLeaving && this.match >= this.holdFrom && this.sentCommit >= this.holdFrom && this.inFlight === 0;
  }

  /** The last index that it may be sent. */
  sendable(lastIndex: number, commitIndex: number): number {
    return commitIndex >= this.holdFrom ? lastIndex : Math.min(lastIndex, this.holdFrom - 1);
  }

  /** Nothing is sent to it before then; undefined while an answer is waited for, or nothing keeps it waiting. */
  get pausedUntilMs(): number | undefined {
    return this.state !== 'pipeline' && this.inFlight === 0 ? this.retryAtMs : undefined;
  }

  hasRoom({ maxInFlight, maxInFlightBytes }: RaftLimits): boolean {
    return this.inFlight < maxInFlight && (this.inFlight === 0 || this.inFlightBytes < maxInFlightBytes);
  }

  sent(lastIndex: number, bytes: number, commitIndex: number): void {
    this.inFlight++;
    this.inFlightBytes += bytes;
    this.sentCommit = Math.max(this.sentCommit, commitIndex);
    if (this.state === 'pipeline') this.next = lastIndex + 1;
  }

  returned(bytes: number): void {
    this.inFlight--;
    this.inFlightBytes -= bytes;
  }

  /** Its log is the leader's up to here. */
  matched(index: number): void {
    this.match = Math.max(this.match, index);
    this.next = Math.max(this.next, this.match + 1);
    this.failures = 0;
    if (this.state !== 'pipeline') this.#enter('pipeline');
  }

  /** It has another entry at `prevIndex`, or none: its last index that may be the leader's is `hint`. */
  mismatched(prevIndex: number, hint: number): void {
    // A server that has lost what it once had counts for what it has.
    if (prevIndex <= this.match) this.match = Math.max(0, Math.min(prevIndex - 1, hint));
    this.next = Math.max(this.match + 1, Math.min(prevIndex, hint + 1));
    this.#enter('probe');
  }

  /**
   * What was on its way may have arrived or not: the next answer says so. Where nothing was sent ahead it is asked again
   * where it was asked: a server that was down when this leader was elected has most of the log, not none of it.
   */
  failed(nowMs: number, longestPauseMs: number): void {
    if (this.state === 'pipeline') this.next = this.match + 1;
    this.#enter('probe');
    this.pause(nowMs, longestPauseMs);
  }

  /** Nothing is sent for a while, and for longer each time. */
  pause(nowMs: number, longestPauseMs: number): void {
    this.retryAtMs = nowMs + Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.failures, 16), longestPauseMs);
    this.failures++;
  }

  needsSnapshot(): void {
    this.#enter('snapshot');
  }

  #enter(state: Progress['state']): void {
    this.state = state;
    this.epoch++;
    this.inFlight = 0;
    this.inFlightBytes = 0;
    if (state !== 'pipeline') this.sentCommit = 0;
  }
}
