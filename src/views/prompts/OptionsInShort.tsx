import { changedOptions, defaultsOf, optionsInShort, presets, withPreset } from '../../state/presets.ts';
import { useFacts } from '../page/useFacts.ts';

/** Says in two words how the prompt is encoded; opens the options, and puts them back. */
export function OptionsInShort({ isOpen, onToggle }: { readonly isOpen: boolean; onToggle(): void }) {
  const options = useFacts((s) => s.options);
  const replace = useFacts((s) => s.replace);
  const isChanged = changedOptions(options).length > 0;
  const reset = () => {
    const own = withPreset(options, { options: defaultsOf(options.syntax) });
    replace({ options: own }, 'The options are back at the program’s own.');
  };
  return (
    <div className="toolbar">
      <button
        type="button"
        className="small"
        aria-expanded={isOpen}
        aria-controls={isOpen ? 'options' : undefined}
        onClick={onToggle}
      >
        Options: {optionsInShort(options)}
      </button>
      {isChanged && (
        <button type="button" className="small quiet" onClick={reset}>
          Reset
        </button>
      )}
    </div>
  );
}

/** Buttons that set all options at once, as a program or the lecture has them. */
export function Presets() {
  const options = useFacts((s) => s.options);
  const replace = useFacts((s) => s.replace);
  return (
    <div className="toolbar">
      <span className="muted small">All as</span>
      {presets.map((preset) => (
        <button
          key={preset.name}
          type="button"
          className="small"
          onClick={() => replace({ options: withPreset(options, preset) }, `Options: ${preset.name}.`)}
        >
          {preset.name}
        </button>
      ))}
      <span className="muted small">The lecture is the one whose equations Anatomy numbers.</span>
    </div>
  );
}
