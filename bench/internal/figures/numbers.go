// SPDX-License-Identifier: Apache-2.0

package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const failureCharacters = 120 // of a failure in a table

// Median is the middle value, or the mean of the two in the middle; there has to be a value.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Number has three digits that count, or those before the point.
func Number(value float64) string {
	switch size := math.Abs(value); {
	case size == 0 || size >= 99.95:
		return fmt.Sprintf("%.0f", value)
	case size >= 9.995:
		return fmt.Sprintf("%.1f", value)
	case size >= 0.01:
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.2g", value)
}

// Spread is the cell of a table for what was measured several times: the median, and between what the values lie.
func Spread(values []float64) string {
	return fmt.Sprintf("%s [%s..%s]", Number(Median(values)), Number(slices.Min(values)), Number(slices.Max(values)))
}

// Failed is the cell of a table for what has failed.
func Failed(why string) string {
	text := []rune(strings.NewReplacer("\n", "; ", "|", "\\|").Replace(why))
	if len(text) > failureCharacters {
		text = append(text[:failureCharacters], '…')
	}
	return "**failed** (" + string(text) + ")"
}
