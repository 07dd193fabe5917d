export interface GossipRules {
  readonly todo?: never;
}
export function gossipOptions(_rules: GossipRules): Record<string, never> {
  return {};
}
