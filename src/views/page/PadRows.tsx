interface PadRowsProps {
  readonly count: number;
  readonly isExpanded: boolean;
  /** Text of the button while the rows are shown. */
  readonly less?: string;
  onToggle(isExpanded: boolean): void;
}

/** Button that shows the rows of a table that are PAD, or folds them away. */
export function PadRows({ count, isExpanded, less = 'Without PAD', onToggle }: PadRowsProps) {
  return (
    <button type="button" className="small" aria-expanded={isExpanded} onClick={() => onToggle(!isExpanded)}>
      {isExpanded ? less : `${count} PAD rows`}
    </button>
  );
}
