"""Operations on masks: components, holes, nearest object."""
