import type { NetworkNode } from '../prompt/ast.ts';

const kinds: Readonly<Record<string, string>> = {
  lora: 'LoRA',
  lyco: 'LoRA',
  hypernet: 'Hypernetwork',
  embedding: 'Textual inversion',
};

/** What a prompt names besides its text. */
export function Networks({ networks }: { networks: readonly NetworkNode[] }) {
  return (
    <ul className="networks" aria-label="Named in the prompt">
      {networks.map(({ kind, name, args, start }) => (
        <li key={start} title="Not encoded, and not loaded here: the numbers are those of the model without it.">
          {kinds[kind] ?? kind} <b>{name}</b> {args.filter((arg) => arg !== name).join(', ')}
        </li>
      ))}
    </ul>
  );
}
