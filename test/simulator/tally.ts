/** Counts by name: what was done to the nodes, and what they did. */
export class Tally {
  readonly counts = new Map<string, number>();

  count(what: string, times = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  add(other: Tally): void {
    for (const [what, times] of other.counts) this.count(what, times);
  }

  /** One line a name, in the order of the names. */
  lines(): string[] {
    return [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `${what.padEnd(48)} ${times}`);
  }
}
