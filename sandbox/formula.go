package sandbox

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"strconv"
)

// formula is the calculation of a derived field, as far as the sandbox knows
// m3ter's language: numbers, numeric data fields of the meter by code or by
// category and code, + - * / and parentheses. That much is also Go, whose
// parser reads it. Anything else makes a nil formula, which never goes wrong.
type formula struct {
	expr   ast.Expr
	fields []fieldRef // of the meter
}

func parseFormula(text string, fields []fieldRef) *formula {
	expr, err := parser.ParseExpr(text)
	if err != nil {
		return nil
	}
	f := &formula{expr, fields}
	if !f.known(expr) {
		return nil
	}
	return f
}

// known reports whether all of expr can be calculated.
func (f *formula) known(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return f.known(e.X)
	case *ast.UnaryExpr:
		return (e.Op == token.SUB || e.Op == token.ADD) && f.known(e.X)
	case *ast.BinaryExpr:
		switch e.Op {
		case token.ADD, token.SUB, token.MUL, token.QUO:
			return f.known(e.X) && f.known(e.Y)
		}
		return false
	case *ast.BasicLit:
		_, err := strconv.ParseFloat(e.Value, 64)
		return err == nil && e.Kind != token.STRING
	}
	category, code, ok := fieldOf(expr)
	if !ok {
		return false
	}
	for _, field := range f.fields {
		if numeric(field.member) && string(field.code) == code && (category == "" || category == memberNames[field.member]) {
			return true
		}
	}
	return false
}

func numeric(m member) bool { return m == mMeasure || m == mCost || m == mIncome }

// fieldOf reads "code" or "category.code".
func fieldOf(expr ast.Expr) (category, code string, ok bool) {
	switch e := expr.(type) {
	case *ast.Ident:
		return "", e.Name, true
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name, e.Sel.Name, true
		}
	}
	return "", "", false
}

// wrong says what goes wrong with the calculation for a measurement, or "".
func (f *formula) wrong(numbers []number) string {
	if f == nil {
		return ""
	}
	switch x := value(f.expr, numbers); {
	case math.IsNaN(x), math.IsInf(x, 0):
		return "division by zero, or a number out of range"
	}
	return ""
}

// value calculates a known expression; what is wrong makes a NaN or infinity.
func value(expr ast.Expr, numbers []number) float64 {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return value(e.X, numbers)
	case *ast.UnaryExpr:
		if e.Op == token.SUB {
			return -value(e.X, numbers)
		}
		return value(e.X, numbers)
	case *ast.BinaryExpr:
		x, y := value(e.X, numbers), value(e.Y, numbers)
		switch e.Op {
		case token.ADD:
			return x + y
		case token.SUB:
			return x - y
		case token.MUL:
			return x * y
		}
		if y == 0 {
			return math.NaN() // also where the whole would come to a number again: 1/(1/0)
		}
		return x / y
	case *ast.BasicLit:
		x, _ := strconv.ParseFloat(e.Value, 64)
		return x
	}
	category, code, _ := fieldOf(expr)
	for i := range numbers {
		n := &numbers[i]
		if string(n.code) == code && (category == "" || category == memberNames[n.member]) {
			x, _ := strconv.ParseFloat(string(n.value.AppendText(nil)), 64)
			return x
		}
	}
	return math.NaN()
}
