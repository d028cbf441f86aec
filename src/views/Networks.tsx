import type { NetworkNode } from '../prompt/ast.ts';
import type { Side } from '../state/facts.ts';
import { networkState } from '../state/loras.ts';
import { loraUsage } from '../state/selectors.ts';
import { useFacts } from './useFacts.ts';

const kinds: Readonly<Record<string, string>> = {
  lora: 'LoRA',
  lyco: 'LoRA',
  hypernet: 'Hypernetwork',
  embedding: 'Textual inversion',
};

/** What a prompt names besides its text. */
export function Networks({ side, networks }: { readonly side: Side; readonly networks: readonly NetworkNode[] }) {
  const loras = useFacts((s) => s.loras);
  const usage = useFacts(loraUsage);
  return (
    <ul className="networks" aria-label={`Named in the ${side === 'positive' ? 'prompt' : 'negative prompt'}`}>
      {networks.map((node) => (
        <li key={node.start}>
          {kinds[node.kind] ?? node.kind} <b>{node.name}</b> {node.args.filter((arg) => arg !== node.name).join(', ')}
          {' · '}
          {networkState(node, side, loras, usage.has(node.name))}
        </li>
      ))}
    </ul>
  );
}
